/// The coefficients of a Runge–Kutta method, with its error estimate and its continuous extension.
///
/// With stages `k_i = f(t + c_i h, y + h Σ_j a_ij k_j)`, the step ends at `y + h Σ_j a_sj k_j`, where s is the last stage of the
/// step: every table is written so that its last stage is the rate at the step's end, which is the next step's first. The
/// error estimate is `h Σ_j e_j k_j`; between the ends the solution is `y + h Σ_j b_j(θ) k_j` with
/// `b_j(θ) = Σ_q B_jq θ^(q+1)`.
struct RungeKuttaTableau: Sendable {
  let name: String
  /// The order of the result, and of the result that the error estimate compares it with; 0: no estimate.
  let order: Int
  let embeddedOrder: Int
  /// The order of the continuous extension at every θ.
  let interpolationOrder: Int
  /// Rows of coefficients, a row for each stage; of explicit methods below the diagonal.
  let a: [[Double]]
  let c: [Double]
  /// Stages of a step; those after them serve the continuous extension only.
  let stageCount: Int
  /// Weights of the error estimate, and of the second one of Dormand–Prince 8.
  let error: [Double]
  let secondError: [Double]
  /// `interpolation[j][q]` is B_jq.
  let interpolation: [[Double]]

  /// Weights of the result.
  var b: [Double] { a[stageCount - 1] }

  /// A table from the coefficients of its first stages and the weights of the result; the stage at the step's end is added, and
  /// the continuous extension is Hermite's cubic, unless there is a better one.
  init(
    _ name: String, order: Int, embeddedOrder: Int, a: [[Double]], b: [Double], error: [Double],
    interpolationOrder: Int = 3, interpolation: [[Double]]? = nil, extraStages: [[Double]] = [],
    secondError: [Double] = []
  ) {
    self.name = name
    self.order = order
    self.embeddedOrder = embeddedOrder
    self.interpolationOrder = interpolationOrder
    let stages = a.count + 1
    let total = stages + extraStages.count
    func padded(_ row: [Double]) -> [Double] { row + [Double](repeating: 0, count: total - row.count) }
    self.a = (a + [b] + extraStages).map(padded)
    c = self.a.indices.map { [sums = self.a.map { $0.reduce(0, +) }] in $0 == stages - 1 ? 1 : sums[$0] }
    stageCount = stages
    self.error = error.isEmpty ? [] : padded(error)
    self.secondError = secondError.isEmpty ? [] : padded(secondError)
    self.interpolation = interpolation ?? Self.hermite(padded(b), end: stages - 1)
  }

  /// Hermite's cubic through both ends: with Δ = h Σ b_j k_j it is
  /// y + Δ (3θ² − 2θ³) + h k_first (θ − 2θ² + θ³) + h k_last (θ³ − θ²).
  static func hermite(_ b: [Double], end: Int) -> [[Double]] {
    b.indices.map { j in
      let first = j == 0 ? 1.0 : 0.0
      let last = j == end ? 1.0 : 0.0
      return [first, 3 * b[j] - 2 * first - last, -2 * b[j] + first + last]
    }
  }

  /// The coefficients h Σ_j B_jq k_j of a step's continuous extension.
  /// - Parameter target: `[degree][stateCount]`.
  func setOutputCoefficients(
    _ rates: UnsafePointer<Double>, step: Double, stateCount: Int, _ target: UnsafeMutablePointer<Double>
  ) {
    target.update(repeating: 0, count: interpolation[0].count * stateCount)
    for (j, row) in interpolation.enumerated() {
      let rate = rates + j * stateCount
      for (q, value) in row.enumerated() where value != 0 {
        let (weight, entry) = (step * value, target + q * stateCount)
        var c = 0
        while c < stateCount {
          entry[c] += weight * rate[c]
          c = c &+ 1
        }
      }
    }
  }

  /// The weights of the continuous extension at a place of the step.
  func weights(at theta: Double) -> [Double] {
    interpolation.map { row in row.reversed().reduce(0) { ($0 + $1) * theta } }
  }
}
