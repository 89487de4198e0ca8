import Costate

/// The functions that are timed, written as a user writes them; Peers/autodiff_workloads.py has the same in Python.
enum Workloads {
  /// A scalar function of little work: what remains is the call.
  static func scalar(_ x: Tensor) -> Tensor { sin(x) * x + 1.0 }

  /// Lorenz's right-hand side.
  static func lorenz(_ x: Tensor) -> Tensor {
    let (a, b, c) = (x[0], x[1], x[2])
    return stack([10.0 * (b - a), a * (28.0 - c) - b, a * b - (8.0 / 3.0) * c])
  }

  static let joints = 12

  /// Joint torques of an arm of hinges about z, y and x in turn: the recursive Newton–Euler method.
  ///
  /// - Parameter state: positions, velocities and accelerations, one after the other.
  static func arm(_ state: Tensor) -> Tensor {
    let n = joints
    let center: Tensor = [0.05, 0.01, 0]
    let offset: Tensor = [0.1, 0, 0.02]
    let inertia: Tensor = [0.01, 0.02, 0.015]
    var rotations: [Tensor] = []
    var forces: [Tensor] = []
    var moments: [Tensor] = []
    var w = Tensor.zeros([3])
    var dw = Tensor.zeros([3])
    var acceleration: Tensor = [0, 0, 9.81]
    for k in 0..<n {
      let axis = axes[k % 3]
      let rotation = rotation(k % 3, state[k])
      let inverse = rotation.transposed
      let velocity = axis * state[n + k]
      let carried = k == 0 ? acceleration : acceleration + cross(dw, offset) + cross(w, cross(w, offset))
      acceleration = matmul(inverse, carried)
      w = matmul(inverse, w)
      dw = matmul(inverse, dw) + axis * state[2 * n + k] + cross(w, velocity)
      w = w + velocity
      let force = acceleration + cross(dw, center) + cross(w, cross(w, center))
      rotations.append(rotation)
      forces.append(force)
      moments.append(inertia * dw + cross(w, inertia * w) + cross(center, force))
    }
    var torques = [Tensor](repeating: 0.0, count: n)
    var force = Tensor.zeros([3])
    var moment = Tensor.zeros([3])
    for k in (0..<n).reversed() {
      if k < n - 1 {
        let handed = matmul(rotations[k + 1], force)
        moment = moments[k] + matmul(rotations[k + 1], moment) + cross(offset, handed)
        force = forces[k] + handed
      } else {
        (force, moment) = (forces[k], moments[k])
      }
      torques[k] = moment[2 - k % 3]
    }
    return stack(torques)
  }
  private static let axes: [Tensor] = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
  /// From the joint's frame to its parent's.
  private static func rotation(_ kind: Int, _ angle: Tensor) -> Tensor {
    let (s, c) = (sin(angle), cos(angle))
    let (zero, one): (Tensor, Tensor) = (0.0, 1.0)
    switch kind {
    case 0: return stack([c, -s, zero, s, c, zero, zero, zero, one]).reshaped([3, 3])
    case 1: return stack([c, zero, s, zero, one, zero, -s, zero, c]).reshaped([3, 3])
    default: return stack([one, zero, zero, zero, c, -s, zero, s, c]).reshaped([3, 3])
    }
  }

  /// A chain of elementwise operations: one pass over memory if it is fused.
  static func chain(_ x: Tensor) -> Tensor {
    ((x * 1.5 + 0.3) * x - 0.7) * x + square(x - 0.5) * 0.25
  }

  /// 10⁵ operations, no two of which are the same.
  static func long(_ x: Tensor) -> Tensor {
    var y = x
    for k in 0..<25_000 { y = sin(y) * 0.5 + y * (1.0 / Double(k + 2)) }
    return y
  }
}

/// A multilayer perceptron 784-256-256-10.
struct Perceptron: TensorTree {
  var weights: [Tensor]
  var biases: [Tensor]

  init(_ generator: inout some RandomNumberGenerator, type: ElementType = .float32) {
    let sizes = [784, 256, 256, 10]
    weights = (0..<3).map { k in
      let scale = (2 / Double(sizes[k])).squareRoot()
      let numbers = (0..<sizes[k] * sizes[k + 1]).map { _ in
        scale * Double.random(in: -1.7...1.7, using: &generator)
      }
      return Tensor(numbers, shape: [sizes[k], sizes[k + 1]]).converted(to: type)
    }
    biases = (0..<3).map { Tensor.zeros([sizes[$0 + 1]], type: type) }
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    let first = relu(matmul(x, weights[0]) + biases[0])
    let second = relu(matmul(first, weights[1]) + biases[1])
    return matmul(second, weights[2]) + biases[2]
  }

  /// The mean cross entropy, with labels as rows of zeros and a one.
  func loss(_ x: Tensor, _ labels: Tensor) -> Tensor {
    -(logSoftmax(self(x)) * labels).sum() / Double(x.shape[0])
  }

  /// One step of gradient descent.
  func stepped(_ x: Tensor, _ labels: Tensor) throws -> Perceptron {
    let slope = try grad { (p: Perceptron) in p.loss(x, labels) }(self)
    var next = self
    for k in weights.indices {
      next.weights[k] = weights[k] - 0.05 * slope.weights[k]
      next.biases[k] = biases[k] - 0.05 * slope.biases[k]
    }
    return next
  }
}
