import Autodiff
import Foundation
import Testing

@testable import DifferentialEquations

/// A rooted tree: the trees that hang on its root.
private struct RootedTree: Hashable {
  var branches: [RootedTree]
  var order: Int { branches.reduce(1) { $0 + $1.order } }
  /// The density: the order times the densities of the branches.
  var density: Double { branches.reduce(Double(order)) { $0 * $1.density } }

  /// Σ over stages that the tree stands for: of each stage's row the product over branches.
  func stageSums(_ a: [[Double]]) -> [Double] {
    var result = [Double](repeating: 1, count: a.count)
    for branch in branches {
      let inner = branch.stageSums(a)
      for i in a.indices { result[i] *= zip(a[i], inner).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    return result
  }

  /// All trees up to an order.
  static func all(upTo order: Int) -> [RootedTree] {
    var byOrder: [[RootedTree]] = [[], [RootedTree(branches: [])]]
    if order < 2 { return byOrder[1] }
    for size in 2...order {
      var trees: [RootedTree] = []
      /// Forests of `left` nodes with trees not after the given one in the list of all smaller trees.
      let smaller = byOrder.flatMap { $0 }
      func forests(_ left: Int, _ last: Int, _ chosen: [RootedTree]) {
        if left == 0 {
          trees.append(RootedTree(branches: chosen))
          return
        }
        for k in 0...last where smaller[k].order <= left {
          forests(left - smaller[k].order, k, chosen + [smaller[k]])
        }
      }
      forests(size - 1, smaller.count - 1, [])
      byOrder.append(trees)
    }
    return byOrder.flatMap { $0 }
  }
}

/// The largest violation of the conditions of some order: Σ b_i Φ_i(t) = θ^|t| / γ(t).
private func violation(_ table: RungeKuttaTableau, _ weights: [Double], order: Int, theta: Double = 1)
  -> Double
{
  RootedTree.all(upTo: order).map { tree in
    let sums = tree.stageSums(table.a)
    let left = zip(weights, sums).reduce(0) { $0 + $1.0 * $1.1 }
    return abs(left - Foundation.pow(theta, Double(tree.order)) / tree.density)
  }.max() ?? 0
}

private let tables: [RungeKuttaTableau] =
  SolverMethod.allCases.compactMap { $0.explicitTableau ?? $0.implicitTableau?.table }

@Suite struct OrderTests {
  @Test func treesAreCounted() {
    #expect(
      (1...8).map { order in RootedTree.all(upTo: 8).filter { $0.order == order }.count } == [
        1, 1, 2, 4, 9, 20, 48, 115,
      ])
  }

  @Test(arguments: tables.map(\.name)) func orderConditions(_ name: String) throws {
    let table = try #require(tables.first { $0.name == name })
    let b = table.b
    #expect(violation(table, b, order: table.order) < 2e-14 * 1e2)
    #expect(violation(table, b, order: table.order + 1) > 1e-6)
    if table.embeddedOrder > 0 && table.name != "Dormand–Prince 8" && table.name != "Implicit Euler" {
      let embedded = zip(b, table.error).map { $0 - $1 }
      let other = table.name == "Radau 5" ? zip(b, table.error).map { $0 + $1 } : embedded
      #expect(violation(table, other, order: table.embeddedOrder) < 1e-12)
      #expect(violation(table, other, order: table.embeddedOrder + 1) > 1e-6)
    }
  }

  @Test func errorEstimatesOfDormandPrince8() {
    let table = RungeKuttaTableau.dormandPrince8
    // Differences from formulas of order 5 and 3: the conditions of the estimates themselves have the right-hand side zero.
    for (estimate, order) in [(table.error, 5), (table.secondError, 3)] {
      let other = zip(table.b, estimate).map { $0 - $1 }
      #expect(violation(table, other, order: order) < 1e-12)
      #expect(violation(table, other, order: order + 1) > 1e-6)
    }
  }

  @Test(arguments: tables.map(\.name)) func continuousExtensions(_ name: String) throws {
    let table = try #require(tables.first { $0.name == name })
    let order = min(table.interpolationOrder, table.order)
    for theta in [0.1, 0.35, 0.5, 0.8, 1.0] {
      #expect(violation(table, table.weights(at: theta), order: order, theta: theta) < 1e-12)
    }
    // At the end it is the result.
    #expect(zip(table.weights(at: 1), table.b).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  // Errors of solution and gradient fall with the order of the method, for a driven pendulum.
  @Test(arguments: SolverMethod.allCases.filter { $0 != .backwardDifferentiation })
  func convergence(_ method: SolverMethod) throws {
    let drive = method.isSymplectic ? 0.0 : 0.3
    let pendulum = OrdinaryDifferentialEquation { (t: Tensor, y: Tensor, p: Tensor) in
      stack([y[1], -p * sin(y[0]) + drive * cos(t)])
    }
    /// The final state, and the gradient of a function of it.
    func solution(_ options: SolverOptions) throws -> (values: [Double], gradient: [Double]) {
      var options = options
      options.maximumSteps = 1_000_000
      let f = { (x: [Tensor]) in
        try pendulum.solve(from: x[0], parameters: x[1], times: [2.0], options: options)[0]
      }
      let x: [Tensor] = [[1.0, 0.5], 2.0]
      let (value, pullback) = try vjp(f, at: x)
      return (value.values, try pullback([1.0, 0.5]).flatMap(\.values))
    }
    func distance(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).map { abs($0 - $1) }.max() ?? 0 }
    let exact = try solution(
      SolverOptions(method: .dormandPrince8, relativeTolerance: 1e-13, absoluteTolerance: 1e-14))
    let h = method.order >= 8 ? 0.25 : method.order >= 5 ? 0.1 : 0.025
    let runs = try [h, h / 2, h / 4].map { step in
      try solution(
        SolverOptions(method: method, relativeTolerance: 1e-13, absoluteTolerance: 1e-13, fixedStep: step))
    }
    let order = Double(method.order)
    let errors = runs.map { distance($0.values, exact.values) }
    let gradientErrors = runs.map { distance($0.gradient, exact.gradient) }
    for list in [errors, gradientErrors] {
      // Over two halvings of the step, where the last is not yet lost in rounding.
      let rate = list[2] > 2e-12 ? Foundation.log2(list[0] / list[2]) / 2 : Foundation.log2(list[0] / list[1])
      #expect(list[0] > 1e-10 && rate > order - 0.4 && rate < order + 1.6, "\(method): \(rate), \(list)")
    }
  }
}
