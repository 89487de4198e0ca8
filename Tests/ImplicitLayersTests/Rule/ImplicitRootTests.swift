import Autodiff
import Foundation
import ImplicitLayers
import LinearAlgebra
import LinearSolvers
import TestSupport
import Testing

/// The rule with solvers that the library knows nothing of.
@Suite struct ImplicitRootTests {
  static let size = 3
  /// A x + tanh(x) b₀ + sin(x) = b, with a Jacobian that is regular everywhere near the point.
  static func residual(_ x: Tensor, _ w: [Tensor]) -> Tensor {
    matmul(w[0], x) + tanh(x) * w[2] + sin(x) * 0.3 - w[1]
  }
  static let point: [Tensor] = [
    [[4, 1, -0.5], [0.3, 3, 1], [-1, 0.2, 5]], [1, -2, 3], Tensor(0.7),
  ]
  /// An independent Newton iteration with derivatives by differences and an elimination of its own.
  static func outside(_ w: [Tensor]) -> Tensor {
    let (a, b, c) = (w[0].values, w[1].values, w[2].scalar)
    let n = size
    var x = [Double](repeating: 0, count: n)
    for _ in 0..<60 {
      var matrix = [[Double]](repeating: [Double](repeating: 0, count: n + 1), count: n)
      for i in 0..<n {
        var f = Foundation.tanh(x[i]) * c + Foundation.sin(x[i]) * 0.3 - b[i]
        for j in 0..<n {
          f += a[i * n + j] * x[j]
          matrix[i][j] = a[i * n + j]
        }
        matrix[i][i] += c / pow(Foundation.cosh(x[i]), 2) + 0.3 * Foundation.cos(x[i])
        matrix[i][n] = -f
      }
      for k in 0..<n {
        for i in 0..<n where i != k {
          let factor = matrix[i][k] / matrix[k][k]
          for j in k...n { matrix[i][j] -= factor * matrix[k][j] }
        }
      }
      for i in 0..<n { x[i] += matrix[i][n] / matrix[i][i] }
    }
    return Tensor(x)
  }
  static func layer(_ differentiation: ImplicitDifferentiation) -> ([Tensor]) throws -> Tensor {
    { w in
      try implicitRoot(
        residual, guess: Tensor.zeros([size]), parameters: w, differentiation: differentiation
      ) { _, w in outside(w) }
    }
  }

  /// Differences, dot products to 1e-12, batches and compiled functions, and all of it for the gradient, however the Jacobian is handled.
  @Test(arguments: [JacobianStructure.automatic, .dense, .sparse])
  func laws(structure: JacobianStructure) throws {
    let layer = Self.layer(ImplicitDifferentiation(jacobian: structure))
    #expect(try GradientLaws(tolerance: 1e-8, step: 1e-2).violations(of: layer, at: Self.point) == [])
    #expect(try GradientLaws().batchViolations(of: layer, at: Self.point) == [])
  }
  @Test func lawsWithoutMatrix() throws {
    let exact = LinearSolveOptions(
      method: .gmres(), stopping: StoppingCriterion(relativeTolerance: 1e-14))
    let layer = Self.layer(.matrixFree(exact))
    #expect(try GradientLaws(tolerance: 1e-8, step: 1e-2).violations(of: layer, at: Self.point) == [])
  }
  @Test func thirdOrder() throws {
    // x³ + x = w: x′ = 1/(3x² + 1), and so on.
    let x = { (w: Tensor) in
      try implicitRoot({ x, w in x * x * x + x - w }, guess: Tensor(0.0), parameters: w) { _, w in
        let half = w.scalar / 2
        let s = (half * half + 1.0 / 27).squareRoot()
        return Tensor(Foundation.cbrt(half + s) + Foundation.cbrt(half - s))
      }
    }
    let value = 0.8
    let w = Tensor(value * value * value + value)
    let d = 3 * value * value + 1
    #expect(abs(try x(w).scalar - value) < 1e-14)
    #expect(abs(try grad(x)(w).scalar - 1 / d) < 1e-14)
    let second = -6 * value / (d * d * d)
    #expect(abs(try grad(grad(x))(w).scalar - second) < 1e-13)
    let third = (108 * value * value / d - 6) / (d * d * d * d)
    #expect(abs(try grad(grad(grad(x)))(w).scalar - third) < 1e-12)
    let pushed = { (w: Tensor) in try jvp(x, at: w, along: Tensor(1.0)).tangent }
    let twice = { (w: Tensor) in try jvp(pushed, at: w, along: Tensor(1.0)).tangent }
    #expect(abs(try jvp(twice, at: w, along: Tensor(1.0)).tangent.scalar - third) < 1e-12)
  }

  /// Tensors that the residual captures are parameters too.
  @Test func captures() throws {
    let explicit = try grad { (w: Tensor) in
      try implicitRoot({ x, w in x * exp(x) - w }, guess: Tensor(1.0), parameters: w) { _, w in
        Tensor(lambertW(w.scalar))
      }
    }(2.0).scalar
    let captured = try grad { (w: Tensor) in
      try implicitRoot({ x, _ in x * exp(x) - w }, guess: Tensor(1.0), parameters: stopGradient(w)) { _, w in
        Tensor(lambertW(w.scalar))
      }
    }(2.0).scalar
    let x = lambertW(2)
    #expect(abs(explicit - x / (2 * (1 + x))) < 1e-14)
    #expect(captured == explicit)
  }

  /// Of several roots the derivative belongs to the one that is returned.
  @Test(arguments: [-2.0, 0.5, 3.0]) func severalRoots(root: Double) throws {
    // (x + 2w)(x − w/2)(x − 3w) at w = 1.
    func residual(_ x: Tensor, _ w: Tensor) -> Tensor {
      let (first, second, third) = (x + 2.0 * w, x - 0.5 * w, x - 3.0 * w)
      return first * second * third
    }
    let x = { (w: Tensor) in
      try implicitRoot(residual, guess: Tensor(root), parameters: w) { guess, w in guess * w }
    }
    #expect(abs(try grad(x)(1.0).scalar - root) < 1e-14)
  }

  /// The guess reaches the solver, and has a derivative that is exactly zero.
  @Test func guess() throws {
    let x = { (inputs: [Tensor]) in
      try implicitRoot({ x, w in x * x - w }, guess: inputs[0], parameters: inputs[1]) { guess, w in
        Tensor(guess.scalar < 0 ? -w.scalar.squareRoot() : w.scalar.squareRoot())
      }
    }
    for guess in [-3.0, 5.0] {
      let (value, gradient) = try valueAndGrad(x)([Tensor(guess), 4.0])
      #expect(value.scalar == (guess < 0 ? -2 : 2))
      #expect(gradient[0].scalar == 0)
      #expect(abs(gradient[1].scalar - (guess < 0 ? -0.25 : 0.25)) < 1e-15)
      #expect(try jvp(x, at: [Tensor(guess), 4.0], along: [1.0, 0.0]).tangent.scalar == 0)
      #expect(try grad(grad { (g: Tensor) in try x([g, 4.0]) })(Tensor(guess)).scalar == 0)
    }
  }

  /// Trees of unknowns and parameters, and element types.
  struct Pair: TensorTree {
    var position: Tensor
    var speeds: Tensor
  }
  @Test func trees() throws {
    func solve(_ w: [Tensor]) throws -> Pair {
      try implicitRoot(
        { (x: Pair, w: [Tensor]) in
          Pair(position: x.position * 2.0 + x.speeds.sum() - w[0], speeds: x.speeds * x.speeds - w[1])
        }, guess: Pair(position: 0.0, speeds: [1, 1]), parameters: w
      ) { _, w in
        let speeds = sqrt(w[1])
        return Pair(position: (w[0] - speeds.sum()) * 0.5, speeds: speeds)
      }
    }
    let w: [Tensor] = [3.0, [4, 9]]
    #expect(try solve(w).position.scalar == -1)
    let gradient = try grad { (w: [Tensor]) in try solve(w).position }(w)
    #expect(abs(gradient[0].scalar - 0.5) < 1e-15)
    #expect(distance(gradient[1], [-1.0 / 8, -1.0 / 12]) < 1e-15)
    let single = try grad { (w: [Tensor]) in
      try implicitRoot(
        { x, w in x * x - w }, guess: Tensor(1.0).converted(to: .float32), parameters: w[0]
      ) { _, w in sqrt(w) }
    }([Tensor(2.0).converted(to: .float32)])[0]
    #expect(single.elementType == .float32)
    #expect(abs(single.scalar - 0.353_553_39) < 1e-6)
  }

  /// The output of another program: its text is read, and its numbers have derivatives.
  @Test func otherProgram() throws {
    let x = { (w: Tensor) in
      try implicitRoot({ x, w in exp(x) - w }, guess: Tensor(0.0), parameters: w) { _, w in
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["awk", "BEGIN { printf \"%.17g\", log(\(w.scalar)) }"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Tensor(Double(String(decoding: data, as: UTF8.self))!)
      }
    }
    #expect(abs(try grad(x)(3.0).scalar - 1.0 / 3) < 1e-14)
    let batch = try vmap(grad(x))([0.5, 2, 8])
    #expect(distance(batch, [2, 0.5, 0.125]) < 1e-14)
  }

  /// In a compiled function the solver is called each time.
  @Test func compiled() throws {
    let layer = Self.layer(.implicit)
    let function = jit { (w: [Tensor]) in try valueAndGrad { w in try layer(w).sum() }(w).gradient[1] }
    for scale in [1.0, 1.3] {
      var w = Self.point
      w[1] = w[1] * scale
      let expected = try grad { (w: [Tensor]) in try layer(w).sum() }(w)[1]
      #expect(distance(try function(w), expected) < 1e-14)
    }
  }

  @Test func failures() throws {
    func solve(
      _ result: Tensor, differentiation: ImplicitDifferentiation = .implicit, guess: Tensor = [1, 1]
    ) -> (Tensor) throws -> Tensor {
      { w in
        try implicitRoot(
          { x, w in x * x - w }, guess: guess, parameters: w, differentiation: differentiation
        ) { _, _ in result }
      }
    }
    let w: Tensor = [4, 9]
    #expect(try solve([2, 3])(w).values == [2, 3])
    // A wrong shape, type, or numbers that are not finite.
    for wrong in [[1, 2, 3], Tensor(1.0), Tensor([2, 3]).converted(to: .float32)] as [Tensor] {
      guard case .shape(let text) = layerError({ _ = try solve(wrong)(w) }) else {
        Issue.record("\(wrong) is taken")
        continue
      }
      #expect(text.contains("the solver returned"))
    }
    guard case .nonFinite = layerError({ _ = try solve([2, .init(Double.nan)])(w) }) else {
      Issue.record("NaN is taken")
      return
    }
    // What is no root has no derivative, but where the caller allows it.
    #expect(tensorError { _ = try grad { w in try solve([2, 3.1])(w).sum() }(w) }?.reason == .notConverged)
    let loose = ImplicitDifferentiation(largestNewtonStep: 0.1)
    let gradient = try grad { w in try solve([2, 3.1], differentiation: loose)(w).sum() }(w)
    #expect(distance(gradient, [0.25, 1 / 6.2]) < 1e-14)
    // Outside solvers cannot be unrolled; orders of operations must make sense.
    guard
      case .unsupportedDerivative = layerError({
        _ = try solve([2, 3], differentiation: .unrolled(iterations: 3))(w)
      })
    else {
      Issue.record("unrolled")
      return
    }
    for wrong in [
      ImplicitDifferentiation.neumann(terms: 0), .phantom(steps: 3, damping: 0),
      .phantom(steps: 1, damping: .infinity),
    ] {
      guard case .argument = layerError({ _ = try solve([2, 3], differentiation: wrong)(w) }) else {
        Issue.record("\(wrong)")
        continue
      }
    }
    // A residual of another shape than the unknowns, and unknowns that are no numbers of floating point.
    guard
      case .shape(let text) = layerError({
        _ = try implicitRoot({ x, w in x.sum() - w }, guess: w, parameters: w[0]) { x, _ in x }
      })
    else {
      Issue.record("one equation for two unknowns")
      return
    }
    #expect(text.contains("as many equations as unknowns"))
    guard
      case .shape = layerError({
        _ = try implicitRoot({ x, w in x - w }, guess: Tensor([Int32(1)]), parameters: w) { x, _ in x }
      })
    else {
      Issue.record("integers")
      return
    }
    // What the solver throws arrives, alone and in transformations.
    struct Unsolved: Error {}
    let failing = { (w: Tensor) in
      try implicitRoot({ x, w in x - w }, guess: w, parameters: w) { _, _ in throw Unsolved() }
    }
    #expect(throws: Unsolved.self) { try failing(w) }
    let inside = tensorError { _ = try grad { w in try failing(w).sum() }(w) }
    #expect(inside?.operation == "implicitRoot" && inside?.message.contains("Unsolved") == true)
    let batched = tensorError {
      _ = try vmap { (w: Tensor) in
        try implicitRoot({ x, w in x - w }, guess: Tensor(0.0), parameters: w) { _, w in
          if w.scalar > 2 { throw Unsolved() }
          return w
        }
      }([1, 2, 3])
    }
    #expect(batched?.message.contains("element 2 of the batch") == true)
  }
}

/// x eˣ = w.
private func lambertW(_ w: Double) -> Double {
  var x = 1.0
  for _ in 0..<50 { x -= (x - w * Foundation.exp(-x)) / (1 + x) }
  return x
}
