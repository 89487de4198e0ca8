import Autodiff
import DifferentialEquations
import Foundation

/// Reference solutions (Tools/write_equation_fixtures.py).
struct ReferenceSolutions: Decodable, Sendable {
  struct Solution: Decodable, Sendable {
    var initial: [Double]?
    var end: Double?
    var final: [Double]
  }
  var detest: [String: Solution]
  var stiff: [String: Solution]
  var lorenz: Solution
  var pleiades: Solution

  static let all: ReferenceSolutions = {
    let url = Bundle.module.resourceURL!.appending(path: "Fixtures/equations.json")
    do {
      return try JSONDecoder().decode(ReferenceSolutions.self, from: Data(contentsOf: url))
    } catch { fatalError("\(error)") }
  }()
}

typealias RightHandSide = @Sendable (Tensor, Tensor) throws -> Tensor

/// T. E. Hull, W. H. Enright, B. M. Fellen, A. E. Sedgwick, Comparing numerical methods for ordinary differential equations, SIAM J.
/// Numer. Anal. 9 (1972): 25 problems on [0, 20].
enum DetestProblems {
  static let names = "ABCDE".flatMap { letter in (1...5).map { "\(letter)\($0)" } }

  static func rate(_ name: String) -> RightHandSide {
    switch name {
    case "A1": { t, y in -y }
    case "A2": { t, y in -y * y * y * 0.5 }
    case "A3": { t, y in y * cos(t) }
    case "A4": { t, y in y * 0.25 * (1.0 - y * 0.05) }
    case "A5": { t, y in (y - t) / (y + t) }
    case "B1": { t, y in stack([(y[0] - y[0] * y[1]) * 2.0, y[0] * y[1] - y[1]]) }
    case "B2": { t, y in stack([y[1] - y[0], y[0] - y[1] * 2.0 + y[2], y[1] - y[2]]) }
    case "B3": { t, y in stack([-y[0], y[0] - y[1] * y[1], y[1] * y[1]]) }
    case "B4":
      { t, y in
        let r = sqrt(y[0] * y[0] + y[1] * y[1])
        return stack([-y[1] - y[0] * y[2] / r, y[0] - y[1] * y[2] / r, y[0] / r])
      }
    case "B5": { t, y in stack([y[1] * y[2], -y[0] * y[2], y[0] * y[1] * -0.51]) }
    case "C1": chain { _ in 1 }
    case "C2": chain { Double($0) }
    case "C3", "C4": diffusion
    case "C5": planets
    case "E1":
      { t, y in
        let s = t + 1.0
        return stack([y[1], -(y[1] / s + (1.0 - 0.25 / (s * s)) * y[0])])
      }
    case "E2": { t, y in stack([y[1], (1.0 - y[0] * y[0]) * y[1] - y[0]]) }
    case "E3": { t, y in stack([y[1], y[0] * y[0] * y[0] / 6.0 - y[0] + sin(t * 2.78535) * 2.0]) }
    case "E4": { t, y in stack([y[1], 0.032 - y[1] * y[1] * 0.4]) }
    case "E5": { t, y in stack([y[1], sqrt(y[1] * y[1] + 1.0) / (25.0 - t)]) }
    default:
      { t, y in
        let square = y[0] * y[0] + y[1] * y[1]
        let r3 = square * sqrt(square)
        return stack([y[2], y[3], -y[0] / r3, -y[1] / r3])
      }
    }
  }

  /// A radioactive decay chain of ten members, the last of which stays.
  private static func chain(_ rate: @escaping @Sendable (Int) -> Double) -> RightHandSide {
    { t, y in
      stack(
        (0..<10).map { i in
          let gain = i == 0 ? 0.0 * y[0] : y[i - 1] * rate(i)
          return i == 9 ? gain : gain - y[i] * rate(i + 1)
        })
    }
  }
  private static let diffusion: RightHandSide = { t, y in
    let zero = Tensor([0.0])
    let n = y.count
    return concatenate([y[1..<n], zero]) - y * 2.0 + concatenate([zero, y[0..<n - 1]])
  }
  private static let planets: RightHandSide = { t, y in
    let masses = [
      0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 0.00000277777777778,
    ]
    let q = (0..<5).map { y[3 * $0..<3 * $0 + 3] }
    func overCube(_ v: Tensor) -> Tensor {
      let square = (v * v).sum()
      return v / (square * sqrt(square))
    }
    let accelerations = (0..<5).map { j -> Tensor in
      var a = overCube(q[j]) * -(1.00000597682 + masses[j])
      for k in 0..<5 where k != j { a = a + (overCube(q[k] - q[j]) - overCube(q[k])) * masses[k] }
      return a * 2.95912208286
    }
    return concatenate([y[15..<30]] + accelerations)
  }
}

/// The stiff problems of E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, and of the test set of W. M. Lioen and
/// J. J. B. de Swart.
enum StiffProblems {
  static let names = ["Robertson", "Van der Pol", "HIRES", "Orego", "Pollution", "Brusselator"]

  static func rate(_ name: String) -> RightHandSide {
    switch name {
    case "Robertson":
      { t, y in
        let (a, b, c) = (y[0] * 0.04, y[1] * y[2] * 1e4, y[1] * y[1] * 3e7)
        return stack([b - a, a - b - c, c])
      }
    case "Van der Pol": { t, y in stack([y[1], ((1.0 - y[0] * y[0]) * y[1] - y[0]) * 1e6]) }
    case "HIRES":
      { t, y in
        let product = y[5] * y[7] * 280.0
        return stack([
          y[0] * -1.71 + y[1] * 0.43 + y[2] * 8.32 + 0.0007, y[0] * 1.71 - y[1] * 8.75,
          y[2] * -10.03 + y[3] * 0.43 + y[4] * 0.035, y[1] * 8.32 + y[2] * 1.71 - y[3] * 1.12,
          y[4] * -1.745 + y[5] * 0.43 + y[6] * 0.43,
          y[3] * 0.69 + y[4] * 1.71 - y[5] * 0.43 + y[6] * 0.69 - product, product - y[6] * 1.81,
          y[6] * 1.81 - product,
        ])
      }
    case "Orego":
      { t, y in
        stack([
          (y[1] + y[0] * (1.0 - y[0] * 8.375e-6 - y[1])) * 77.27, (y[2] - (y[0] + 1.0) * y[1]) / 77.27,
          (y[0] - y[2]) * 0.161,
        ])
      }
    case "Pollution": pollution
    default: brusselator
    }
  }

  /// Rate constants, the species that make each rate, and what each reaction takes and gives (species are numbered from one).
  private static let reactions: [(Double, [Int], [Int: Double])] = [
    (0.35, [1], [1: -1, 2: 1, 3: 1]), (26.6, [2, 4], [2: -1, 4: -1, 1: 1]),
    (12300, [5, 2], [5: -1, 2: -1, 6: 1, 1: 1]), (0.00086, [7], [7: -1, 5: 2, 8: 1]),
    (0.00082, [7], [7: -1, 8: 1]), (15000, [7, 6], [7: -1, 6: -1, 5: 1, 8: 1]),
    (0.00013, [9], [9: -1, 10: 1, 5: 1, 8: 1]), (24000, [9, 6], [9: -1, 6: -1, 11: 1]),
    (16500, [11, 2], [11: -1, 2: -1, 1: 1, 10: 1, 12: 1]), (9000, [11, 1], [11: -1, 1: -1, 13: 1]),
    (0.022, [13], [13: -1, 11: 1, 1: 1]), (12000, [10, 2], [10: -1, 2: -1, 14: 1, 1: 1]),
    (1.88, [14], [14: -1, 7: 1, 5: 1]), (16300, [1, 6], [1: -1, 6: -1, 15: 1]), (4.8e6, [3], [3: -1, 4: 1]),
    (0.00035, [4], [4: -1, 16: 1]), (0.0175, [4], [4: -1, 3: 1]), (1e8, [16], [16: -1, 6: 2]),
    (4.44e11, [16], [16: -1, 3: 1]), (1240, [17, 6], [17: -1, 6: -1, 18: 1, 5: 1]),
    (2.1, [19], [19: -1, 2: 1]),
    (5.78, [19], [19: -1, 1: 1, 3: 1]), (0.0474, [1, 4], [1: -1, 4: -1, 19: 1]),
    (1780, [19, 1], [19: -1, 1: -1, 20: 1]), (3.12, [20], [20: -1, 19: 1, 1: 1]),
  ]
  private static let pollution: RightHandSide = { t, y in
    var rates = [Tensor](repeating: 0.0 * y[0], count: 20)
    for (constant, species, changes) in reactions {
      let rate = species.reduce(Tensor(constant)) { $0 * y[$1 - 1] }
      for (place, change) in changes.sorted(by: { $0.key < $1.key }) {
        rates[place - 1] = rates[place - 1] + rate * change
      }
    }
    return stack(rates)
  }

  /// The one-dimensional Brusselator with diffusion: two fields on twenty cells.
  private static let brusselator: RightHandSide = { t, y in
    let n = y.count / 2
    let (u, v) = (y[0..<n], y[n..<2 * n])
    let k = Double((n + 1) * (n + 1)) / 50
    func diffusion(_ w: Tensor, _ edge: Double) -> Tensor {
      let edge = Tensor([edge])
      return (concatenate([w[1..<n], edge]) - w * 2.0 + concatenate([edge, w[0..<n - 1]])) * k
    }
    let reaction = u * u * v
    return concatenate([reaction - u * 4.0 + 1.0 + diffusion(u, 1), u * 3.0 - reaction + diffusion(v, 3)])
  }
}

/// Seven stars in a plane (Hairer, Nørsett, Wanner I, II.10).
let pleiades: RightHandSide = { t, y in
  let (x, z) = (y[0..<7], y[7..<14])
  let masses = Tensor((1...7).map { Double($0) })
  func differences(_ w: Tensor) -> Tensor { w.reshaped([1, 7]) - w.reshaped([7, 1]) }
  let (dx, dz) = (differences(x), differences(z))
  let square = dx * dx + dz * dz + Tensor.identity(7)
  let weights = masses.reshaped([1, 7]) / (square * sqrt(square))
  return concatenate([y[14..<28], (dx * weights).sum(axis: 1), (dz * weights).sum(axis: 1)])
}
