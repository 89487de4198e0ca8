import Costate
import Foundation

/// A problem of nonlinear regression of NIST's Statistical Reference Datasets, with certified results.
struct RegressionProblem: Decodable, Sendable {
  var name: String
  var starts: [[Double]]
  var parameters: [Double]
  var y: [Double]
  var x: [[Double]]

  /// What is measured; Nelson's model is of the logarithm.
  var observations: Tensor { name == "Nelson" ? log(Tensor(y)) : Tensor(y) }

  func model(_ b: Tensor) -> Tensor {
    let x = Tensor(self.x[0])
    switch name {
    case "Bennett5": return b[0] * pow(b[1] + x, -1.0 / b[2])
    case "BoxBOD", "Misra1a": return b[0] * (1 - exp(-b[1] * x))
    case "Chwirut1", "Chwirut2": return exp(-b[0] * x) / (b[1] + b[2] * x)
    case "DanWood": return b[0] * pow(x, b[1])
    case "Eckerle4": return b[0] / b[1] * exp(-0.5 * square((x - b[2]) / b[1]))
    case "ENSO":
      var sum = b[0] + wave(b[1], b[2], x, Tensor(12.0))
      sum = sum + wave(b[4], b[5], x, b[3])
      return sum + wave(b[7], b[8], x, b[6])
    case "Gauss1", "Gauss2", "Gauss3":
      return b[0] * exp(-b[1] * x) + bell(b[2], b[3], b[4], x) + bell(b[5], b[6], b[7], x)
    case "Hahn1", "Thurber":
      let (square, cube) = (x * x, x * x * x)
      return (b[0] + b[1] * x + b[2] * square + b[3] * cube) / (1 + b[4] * x + b[5] * square + b[6] * cube)
    case "Kirby2":
      let square = x * x
      return (b[0] + b[1] * x + b[2] * square) / (1 + b[3] * x + b[4] * square)
    case "Lanczos1", "Lanczos2", "Lanczos3":
      return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x)
    case "MGH09": return b[0] * (x * x + x * b[1]) / (x * x + x * b[2] + b[3])
    case "MGH10": return b[0] * exp(b[1] / (x + b[2]))
    case "MGH17": return b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4])
    case "Misra1b": return b[0] * (1 - pow(1 + b[1] * x / 2, -2.0))
    case "Misra1c": return b[0] * (1 - pow(1 + 2 * b[1] * x, -0.5))
    case "Misra1d": return b[0] * b[1] * x / (1 + b[1] * x)
    case "Nelson": return b[0] - b[1] * x * exp(-b[2] * Tensor(self.x[1]))
    case "Rat42": return b[0] / (1 + exp(b[1] - b[2] * x))
    case "Rat43": return b[0] / pow(1 + exp(b[1] - b[2] * x), 1.0 / b[3])
    case "Roszman1": return b[0] - b[1] * x - atan(b[2] / (x - b[3])) / Double.pi
    default: fatalError("no model for \(name)")
    }
  }
}

private func wave(_ a: Tensor, _ b: Tensor, _ x: Tensor, _ period: Tensor) -> Tensor {
  let phase = 2 * Double.pi * x / period
  return a * cos(phase) + b * sin(phase)
}
private func bell(_ height: Tensor, _ center: Tensor, _ width: Tensor, _ x: Tensor) -> Tensor {
  height * exp(-square((x - center) / width))
}
