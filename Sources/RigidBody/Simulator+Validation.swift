import Foundation
import Kinematics
import RobotModels

extension Simulator {
  /// Checks lengths and finiteness of everything that a rollout reads.
  func validate(
    _ state: BatchState<Scalar>, _ inputs: SimulationInputs<Scalar>, steps: Int
  ) throws(SimulationError) {
    guard state.worldCount > 0 else { throw .invalidRequest("a batch needs at least one world") }
    guard steps >= 0 else {
      throw .invalidRequest("\(steps) steps were asked for; zero or more are possible")
    }
    try check(state.positions, "positions", expected: product(state.worldCount, plan.positionCount))
    try check(state.velocities, "velocities", expected: product(state.worldCount, plan.velocityCount))
    try check(state.activations, "activations", expected: product(state.worldCount, plan.activationCount))
    try check(inputs.controls, "controls", width: plan.actuators.count, state.worldCount, steps)
    try check(inputs.appliedForces, "appliedForces", width: plan.velocityCount, state.worldCount, steps)
    try check(inputs.cartesianForces, "cartesianForces", width: 6 * plan.bodyCount, state.worldCount, steps)
    try check(inputs.mocapPoses, "mocapPoses", width: plan.mocapWidth, state.worldCount, steps)
  }

  /// Refuses trajectories that no memory of this machine can hold.
  ///
  /// - Parameter retainedBytes: what a tape keeps for each step of each world besides.
  func checkTrajectoryFits(worlds: Int, steps: Int, retainedBytes: Int = 0) throws(SimulationError) {
    let state = (plan.positionCount + plan.velocityCount + plan.activationCount) * MemoryLayout<Scalar>.stride
    let bytes = Double(worlds) * (Double(steps) + 1) * Double(state + retainedBytes)
    let available = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes <= available else {
      throw .invalidRequest(
        "\(steps) steps of \(worlds) worlds take \(Int(min(bytes / 1e9, 1e15))) GB, and this machine has "
          + "\(Int(available / 1e9)) GB; simulate fewer of them at a time")
    }
  }

  private func check(
    _ input: InputSequence<Scalar>?, _ name: String, width: Int, _ worlds: Int, _ steps: Int
  ) throws(SimulationError) {
    guard let input else { return }
    guard input.worldCount == 1 || input.worldCount == worlds else {
      throw .invalidRequest("\(name) are for \(input.worldCount) worlds; 1 or \(worlds) are possible")
    }
    guard input.stepCount == 1 || input.stepCount == steps else {
      throw .invalidRequest("\(name) are for \(input.stepCount) steps; 1 or \(steps) are possible")
    }
    try check(
      input.values, name, expected: product(product(input.worldCount, input.stepCount), width))
  }

  func check(_ values: [Scalar], _ name: String, expected: Int) throws(SimulationError) {
    guard values.count == expected else {
      throw .wrongCount(name: name, expected: expected, actual: values.count)
    }
    if let index = firstNotFinite(values) { throw .notFinite(name: name, index: index) }
  }
}

/// The product, or the largest integer, which no array has for a length, where it is beyond that.
private func product(_ a: Int, _ b: Int) -> Int {
  let (result, overflows) = a.multipliedReportingOverflow(by: b)
  return overflows ? .max : result
}

extension BatchState {
  /// Runs `body` with the arrays' addresses.
  mutating func withPointers<R>(_ body: (BatchPointers<Scalar>) -> R) -> R {
    positions.withUnsafeMutableBufferPointer { q in
      velocities.withUnsafeMutableBufferPointer { v in
        activations.withUnsafeMutableBufferPointer { a in
          // An empty array may have no address; no element of it is ever read.
          body(
            BatchPointers(
              positions: q.baseAddress ?? dangling(), velocities: v.baseAddress ?? dangling(),
              activations: a.baseAddress ?? dangling()))
        }
      }
    }
  }
}

/// An aligned address that must not be read.
func dangling<T>() -> UnsafeMutablePointer<T> {
  UnsafeMutablePointer(bitPattern: MemoryLayout<T>.alignment)!
}

extension SimulationInputs {
  /// Runs `body` with the arrays' addresses.
  func withPointers<R>(
    controlCount: Int, velocityCount: Int, bodyCount: Int, mocapWidth: Int,
    _ body: (InputPointers<Scalar>) -> R
  ) -> R {
    func pointer(
      _ input: InputSequence<Scalar>?, _ buffer: UnsafeBufferPointer<Scalar>, _ width: Int
    ) -> InputPointer<Scalar> {
      InputPointer(
        values: input == nil ? nil : buffer.baseAddress ?? UnsafePointer(dangling()),
        worldCount: input?.worldCount ?? 1, stepCount: input?.stepCount ?? 1, width: width)
    }
    return (controls?.values ?? []).withUnsafeBufferPointer { u in
      (appliedForces?.values ?? []).withUnsafeBufferPointer { f in
        (cartesianForces?.values ?? []).withUnsafeBufferPointer { x in
          (mocapPoses?.values ?? []).withUnsafeBufferPointer { m in
            body(
              InputPointers(
                controls: pointer(controls, u, controlCount),
                appliedForces: pointer(appliedForces, f, velocityCount),
                cartesianForces: pointer(cartesianForces, x, 6 * bodyCount),
                mocapPoses: pointer(mocapPoses, m, mocapWidth)))
          }
        }
      }
    }
  }
}
