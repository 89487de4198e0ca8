import Autodiff
import Foundation
import Testing

extension Tensor {
  /// A function of the user's on a type of the library's.
  @inline(never) fileprivate func halfRoot() -> (Tensor, Int) { (sqrt(self) * 0.5, #line) }
}
/// A function of the user's that a closure calls. (Inlined, it would have the line of its call.)
@inline(never) private func inverse(_ x: Tensor) -> (Tensor, Int) { (1.0 / x, #line) }

/// Where a value stops being finite: the line of source, through every transformation and control flow.
@Suite struct CallSiteTests {
  private let point: Tensor = [1, 0, 2]

  /// The error of a checked computation, which must name a line of this file.
  private func location(_ body: () throws -> Void) -> (error: TensorError, line: Int?)? {
    do { try withFiniteChecks(body) } catch {
      guard let error = error as? TensorError else { return nil }
      let parts = (error.location ?? "").split(separator: ":")
      return (error, parts.first == "AutodiffTests/CallSiteTests.swift" ? Int(parts[1]) : nil)
    }
    return nil
  }

  @Test func computedAtOnce() throws {
    // Closures stand outside of macros, whose code has lines of its own.
    var line = 0
    let first = location { (_, line) = (log(point) * 2.0, #line) }
    let found = try #require(first)
    #expect(found.line == line && found.error.operation == "logarithm")
    #expect(found.error.description.hasSuffix("(at \(found.error.location!))"))
    #expect(location { (_, line) = inverse(point) }?.line == line)
    #expect(location { (_, line) = (-point).halfRoot() }?.line == line)
    // Other mistakes as well.
    let shapes = location { (_, line) = (point + Tensor.zeros([2]), #line) }
    #expect(shapes?.line == line && shapes?.error.reason == .shape)
    let singular = location { (_, line) = (cholesky(Tensor.zeros([2, 2])), #line) }
    #expect(singular?.line == line && singular?.error.reason == .singular)
    // Outside nothing is followed.
    do { try withTensorErrors { _ = point + Tensor.zeros([2]) } } catch {
      #expect((error as? TensorError)?.location == nil)
    }
  }

  /// The derivative of an operation has the operation's line.
  @Test func derivatives() throws {
    nonisolated(unsafe) var line = 0
    let f = { (x: Tensor) -> Tensor in
      let (root, place) = x.halfRoot()
      line = place
      return (root * x).sum()
    }
    let steps: [(String, () throws -> Void)] = [
      ("grad", { _ = try grad(f)(point) }), ("jit", { _ = try jit(grad(f))(point) }),
      ("jvp", { _ = try jvp(f, at: point, along: point) }),
      ("hvp", { _ = try hvp(f, at: point, along: point) }),
      ("linearize", { _ = try linearize(f, at: point).pushforward(point) }),
      ("jacobian", { _ = try jacobian(f)(point) }), ("hessian", { _ = try jit(hessian(f))(point) }),
      ("vmap", { _ = try vmap(grad(f))(stack([point, point])) }),
      ("jit vmap", { _ = try jit(vmap(grad(f)))(stack([point, point])) }),
      ("grad vmap", { _ = try jit(grad { (x: Tensor) in try vmap(f)(x).sum() })(stack([point, point])) }),
      ("sparse", { _ = try sparseHessian(f)(point) }),
    ]
    for (name, step) in steps {
      let found = try #require(location(step), "\(name)")
      #expect(found.line == line && found.error.reason == .nonFinite, "\(name): \(found.error)")
    }
    // A function that was compiled before.
    let compiled = jit(grad(f))
    _ = try compiled(point)
    #expect(location { _ = try compiled(point) }?.line == line)
  }

  @Test func controlFlow() throws {
    nonisolated(unsafe) var line = 0
    func noted(_ result: (Tensor, Int)) -> Tensor {
      line = result.1
      return result.0
    }
    let times = Tensor.range(to: 3)
    let forms: [(String, (Tensor) throws -> Tensor)] = [
      (
        "scan",
        { x in
          try scan(initial: x, over: times) { (y, t) in (y * noted(inverse(t - 1.0)), [Tensor]()) }.state
        }
      ),
      ("forLoop", { x in try forLoop(3, initial: x) { _, y in noted(inverse(y - y)) } }),
      (
        "while",
        { x in
          try whileLoop(initial: x, condition: { $0.sum() .< 100.0 }) { y in y + noted(inverse(y * 0.0)) }
        }
      ),
      ("cond", { x in try cond(x.sum() .> 0.0, then: { noted(inverse(x)) }, else: { x }) }),
      ("checkpoint", { x in try checkpoint { (y: Tensor) in noted(inverse(y)) }(x) }),
      ("vmap", { x in try vmap { (y: Tensor) in noted(inverse(y)) }(x) }),
      (
        "customVJP",
        { x in
          try customVJP(
            { (y: Tensor) in noted(inverse(y)) }, forward: { (value: noted(inverse($0)), residuals: $0) },
            backward: { $0 * $1 })(x)
        }
      ),
      ("jit", { x in try jit { (y: Tensor) in noted(inverse(y)) }(x) }),
    ]
    for (name, form) in forms {
      let found = try #require(location { _ = try jit(form)(point) }, "\(name)")
      #expect(found.line == line && found.error.reason == .nonFinite, "\(name): \(found.error)")
      if name == "while" { continue }
      let slope = try #require(
        location { _ = try grad { (x: Tensor) in try form(x).sum() }(point) }, "\(name)")
      #expect(slope.line == line, "grad \(name): \(slope.error)")
    }
  }

  /// Each distinct stack is captured once, so that long programs are followed too.
  @Test(.timeLimit(.minutes(1))) func longPrograms() throws {
    nonisolated(unsafe) var line = 0
    let f = { (x: Tensor) in
      var y = x
      for _ in 0..<5000 { y = sin(y) * 1.0001 }
      let (result, place) = inverse(y * 0.0)
      line = place
      return result
    }
    #expect(location { _ = try jit(grad(f))(0.5) }?.line == line)
  }
  @Test func severalTasks() async {
    await withTaskGroup(of: Bool.self) { group in
      for k in 0..<8 {
        group.addTask {
          (0..<3).allSatisfy { _ in
            nonisolated(unsafe) var line = 0
            let found = location {
              _ = try jit(
                grad { (x: Tensor) in
                  let (result, place) = inverse(x * Double(k % 2))
                  line = place
                  return result
                })(0.5)
            }
            return k % 2 == 1 ? found == nil : found?.line == line
          }
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
