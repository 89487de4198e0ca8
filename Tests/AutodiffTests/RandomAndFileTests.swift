import Autodiff
import Foundation
import Testing

@Suite struct RandomTests {
  /// Known answers of Threefry-2x32-20 (Random123's `kat_vectors`).
  @Test func knownAnswers() {
    func bits(_ key: [UInt32], _ counter: Int) -> [UInt32] {
      let made = RandomKey(bits: Tensor(key.map { Int32(bitPattern: $0) })).split(counter + 1).bits
      return made.values(Int32.self).suffix(2).map { UInt32(bitPattern: $0) }
    }
    // Key zero, counter zero.
    #expect(bits([0, 0], 0) == [0x6b20_0159, 0x99ba_4efe])
  }
  @Test func distributions() {
    let key = RandomKey(seed: 7)
    let (a, b) = key.split()
    let u = a.uniform([20_000])
    #expect(u.min().scalar >= 0 && u.max().scalar < 1)
    #expect(abs(u.mean().scalar - 0.5) < 0.01 && abs(u.variance().scalar - 1.0 / 12) < 0.002)
    let n = b.normal([20_000])
    #expect(abs(n.mean().scalar) < 0.03 && abs(n.variance().scalar - 1) < 0.04)
    #expect(abs((n * n * n * n).mean().scalar - 3) < 0.25)
    #expect(a.uniform([5]).values == a.uniform([5]).values)
    #expect(a.uniform([5]).values != b.uniform([5]).values)
    #expect(a.permutation(50).sorted().values == Tensor.indices(50).values)
    let k = a.integers([5000], from: -2, to: 3)
    #expect(k.min().scalar == -2 && k.max().scalar == 2)
    let c = key.split(20_000)
    #expect(c.bits.shape == [20_000, 2])
    #expect(abs(a.bernoulli(0.3, [20_000]).converted(to: .float64).mean().scalar - 0.3) < 0.02)
    #expect(key.folding(1.0).uniform().scalar != key.folding(2.0).uniform().scalar)
  }
  @Test func tracedAndBatched() throws {
    let keys = RandomKey(seed: 3).split(4)
    let draw = { (key: RandomKey) in key.normal([3]) }
    let batch = try vmap(draw)(keys)
    let compiled = try jit(vmap(draw))(keys)
    for k in 0..<4 { #expect(batch[k].values == draw(RandomKey(bits: keys.bits[k])).values) }
    #expect(abs(compiled - batch).max().scalar < 1e-14)
    let gradient = try grad { (x: Tensor) in (x * RandomKey(seed: 1).uniform([3])).sum() }([1, 2, 3])
    #expect(gradient.values == RandomKey(seed: 1).uniform([3]).values)
  }
}

@Suite struct FileTests {
  private func temporary(_ name: String) -> URL {
    FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)-\(name)")
  }
  @Test func roundTrips() throws {
    let tensors: [String: Tensor] = [
      "matrix": [[1, 2.5], [-3, 4e-300]], "scalar": Tensor(3.5), "flags": Tensor([true, false]),
      "numbers": Tensor([Int32(-5), 7]), "single": Tensor([Float(0.1)]), "empty": Tensor.zeros([0, 3]),
      "view": Tensor.range(to: 6).reshaped([2, 3]).transposed,
    ]
    for (name, tensor) in tensors {
      let file = temporary("\(name).npy")
      defer { try? FileManager.default.removeItem(at: file) }
      try tensor.write(npy: file)
      let back = try Tensor(npy: file)
      #expect(back.type == tensor.type && back.values == tensor.values)
    }
    let archive = temporary("all.npz")
    defer { try? FileManager.default.removeItem(at: archive) }
    try Tensor.writeArchive(tensors, npz: archive)
    let back = try Tensor.readArchive(npz: archive)
    #expect(back.keys.sorted() == tensors.keys.sorted())
    for (name, tensor) in tensors {
      #expect(back[name]?.type == tensor.type && back[name]?.values == tensor.values)
    }
  }
  @Test func damagedFilesAreRefused() throws {
    let file = temporary("x.npy")
    defer { try? FileManager.default.removeItem(at: file) }
    try Tensor([1.0, 2, 3]).write(npy: file)
    var bytes = try Data(contentsOf: file)
    try bytes.dropLast().write(to: file)
    #expect(throws: TensorError.self) { try Tensor(npy: file) }
    bytes[0] = 0
    try bytes.write(to: file)
    #expect(throws: TensorError.self) { try Tensor(npy: file) }
    #expect(throws: TensorError.self) { try Tensor.readArchive(npz: file) }
  }
}

@Suite struct TensorTreeTests {
  private enum Activation: String, Codable { case tanh, relu }
  private struct Layer: TensorTree {
    var weights: Tensor
    var bias: Tensor
    var activation = Activation.tanh
  }
  private struct Network: TensorTree {
    var layers: [Layer]
    var scale: Tensor?
    var name: String
    var widths: [Int: Int] = [1: 2]

    func callAsFunction(_ x: Tensor) -> Tensor {
      layers.reduce(x) { y, layer in
        let z = matmul(y, layer.weights) + layer.bias
        return layer.activation == .tanh ? tanh(z) : relu(z)
      } * (scale ?? 1.0)
    }
  }

  @Test func structuresAreTrees() throws {
    let (a, b) = RandomKey(seed: 1).split()
    var network = Network(
      layers: [
        Layer(weights: a.normal([2, 3]), bias: Tensor.zeros([3])),
        Layer(weights: b.normal([3, 1]), bias: Tensor.ones([1]), activation: .relu),
      ], scale: 2.0, name: "net")
    #expect(network.leaves.count == 5)
    let x = Tensor.ones([4, 2])
    let loss = { (network: Network) in square(network(x) - 0.3).sum() }
    let compiled = jit(valueAndGrad(loss))
    let (value, gradient) = try valueAndGrad(loss)(network)
    #expect(gradient.name == "net" && gradient.layers[1].activation == .relu && gradient.widths == [1: 2])
    #expect(gradient.layers[0].weights.shape == [2, 3])
    // A property that is not a tensor is part of what the program was compiled for.
    let h = 1e-6
    var moved = network
    moved.layers[0].weights[1, 2] += h
    let quotient = (loss(moved) - value).scalar / h
    #expect(abs(quotient - gradient.layers[0].weights[1, 2].scalar) < 1e-4 * Swift.max(1, abs(quotient)))
    let again = try compiled(network)
    #expect(abs(again.value - value).scalar < 1e-12)
    #expect(abs(again.gradient.layers[0].weights - gradient.layers[0].weights).max().scalar < 1e-12)
    network.scale = nil
    #expect(network.leaves.count == 4)
    #expect(try grad(loss)(network).scale == nil)
  }

  @Test func jitKeysOnStructure() throws {
    let f = jit { (layer: Layer) in layer.activation == .tanh ? tanh(layer.weights) : relu(layer.weights) }
    let layer = Layer(weights: [-1, 2], bias: 0.0)
    #expect(try f(layer).values == tanh([-1, 2]).values)
    var other = layer
    other.activation = .relu
    #expect(try f(other).values == [0, 2])
    #expect(try f(layer).values == tanh([-1, 2]).values)
  }

  @Test func encodesToJSON() throws {
    let layer = Layer(weights: [[1, 2]], bias: Tensor(scalar: Int32(3)), activation: .relu)
    let back = try JSONDecoder().decode(Layer.self, from: try JSONEncoder().encode(layer))
    #expect(
      back.weights.values == [1, 2] && back.weights.shape == [1, 2] && back.bias.elementType == .int32)
    #expect(back.activation == .relu)
  }
}
