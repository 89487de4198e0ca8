import Foundation

/// Repeated timings of one piece of work.
package struct Timing: Sendable {
  /// Nanoseconds per unit of work, one entry per repetition.
  package var samples: [Double]

  package init(_ samples: [Double] = []) { self.samples = samples }

  package var minimum: Double { samples.min() ?? .nan }
  package var maximum: Double { samples.max() ?? .nan }
  package var median: Double {
    samples.isEmpty ? .nan : samples.sorted()[samples.count / 2]
  }
}

/// Which clock a measurement reads.
package enum Clock {
  /// Time that passes.
  case wall
  /// Time that the calling thread computes: what other processes take on the same core does not count.
  case thread

  var now: Double {
    var time = timespec()
    clock_gettime(self == .wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
}

/// Nanoseconds that `body` takes, divided by `count`.
package func nanoseconds(
  per count: Int = 1, clock: Clock = .thread, _ body: () throws -> Void
) rethrows -> Double {
  let start = clock.now
  try body()
  return (clock.now - start) / Double(count)
}

/// Nanoseconds of one call.
package func repeatedly<T>(_ count: Int, clock: Clock = .wall, _ body: () throws -> T) rethrows -> Double {
  try nanoseconds(per: count, clock: clock) {
    for _ in 0..<count { consume(try body()) }
  }
}

/// Runs several measurements in turn, round by round, so that drift of the machine hits all of them alike.
///
/// - Parameters:
///   - rounds: how often each one runs; one more round comes first and is dropped.
///   - measurements: each returns its samples of one round.
/// - Returns: one timing per measurement.
package func interleave(rounds: Int, _ measurements: [() throws -> [Double]]) throws -> [Timing] {
  var timings = measurements.map { _ in Timing() }
  for round in -1..<rounds {
    for (index, measure) in measurements.enumerated() {
      let samples = try measure()
      if round >= 0 { timings[index].samples += samples }
    }
  }
  return timings
}

/// Keeps the optimiser from dropping work whose result nobody reads.
@inline(never)
package func consume<T>(_ value: T) {}
