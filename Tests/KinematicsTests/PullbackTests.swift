import Costate
import Foundation
import TestSupport
import Testing

@Suite("Pullback of poses")
struct PullbackTests {
  static let seeds: [UInt64] = Array(1...12)

  /// Against Jacobians, which are tested against other engines: ⟨ȳ, J v⟩ = ⟨Jᵀ ȳ, v⟩.
  @Test("Transpose of the Jacobian", arguments: seeds, PoseFormat.allCases)
  func transpose(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let count = 3
    let (nv, frames) = (problem.model.velocityCount, problem.frames.count)
    let q = problem.positions(count)
    let v = problem.tangents(count)
    let cotangents = problem.cotangents(count, format)
    let jacobians = try kinematics.jacobians(at: q)
    var velocities: [Double] = []
    for row in 0..<(count * frames * 6) {
      let c = row / (frames * 6)
      velocities.append(
        dot(Array(jacobians[(row * nv)..<(row * nv + nv)]), Array(v[(c * nv)..<(c * nv + nv)])))
    }
    let rates = poseRates(try kinematics.poses(at: q, format: format), velocities: velocities, format: format)
    let gradient = try kinematics.pullback(at: q, cotangents: cotangents, format: format)
    #expect(abs(dot(cotangents, rates) - dot(gradient, v)) <= 1e-12 * dotSize(gradient, v))
    #expect(dotSize(gradient, v) > 0.1)
  }

  /// Differences of a weighted sum of poses along a random direction; the error falls by four with the step.
  @Test("Central differences", arguments: seeds, PoseFormat.allCases)
  func differences(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let model = problem.model
    let kinematics = try ForwardKinematics<Double>(model, frames: problem.frames)
    let q = problem.positions(2)
    let v = problem.tangents(2)
    let weights = problem.cotangents(2, format)
    let gradient = try kinematics.pullback(at: q, cotangents: weights, format: format)
    let differences = try CentralDifferences(step: 0.02) {
      dot(weights, try kinematics.poses(at: model.moved(q, along: v, by: $0), format: format))
    }
    #expect(abs(dot(gradient, v) - differences.extrapolated) <= 1e-9 * dotSize(gradient, v))
    #expect((3.9...4.1).contains(differences.convergence))
  }

  /// The lifted gradient is that by the numbers of `qpos`, quaternions of any length included.
  @Test("Gradient by positions", arguments: seeds, PoseFormat.allCases)
  func lift(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(2)
    let direction = problem.positions(2)
    let weights = problem.cotangents(2, format)
    let gradient = try kinematics.pullback(
      at: q, cotangents: weights, format: format, coordinates: .positions)
    let differences = try CentralDifferences(step: 0.01) { e in
      dot(weights, try kinematics.poses(at: zip(q, direction).map { $0 + e * $1 }, format: format))
    }
    #expect(abs(dot(gradient, direction) - differences.extrapolated) <= 1e-8 * dotSize(gradient, direction))
  }

  @Test("Poses and gradient in one pass are those of two", arguments: PoseFormat.allCases)
  func combined(format: PoseFormat) throws {
    var problem = try RandomModel(seed: 3)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    for count in [1, 7, 8, 9, 17] {
      let q = problem.positions(count)
      let cotangents = problem.cotangents(count, format)
      let poses = try kinematics.poses(at: q, format: format)
      for coordinates in GradientCoordinates.allCases {
        let gradient = try kinematics.pullback(
          at: q, cotangents: cotangents, format: format, coordinates: coordinates)
        let both = try kinematics.posesAndPullback(
          at: q, cotangents: cotangents, format: format, coordinates: coordinates)
        #expect(both.poses == poses)
        #expect(both.gradient == gradient)
        // Whatever was in the arrays before, and however long they were.
        var into = ([1.0], [Double](repeating: .nan, count: 10_000))
        try kinematics.posesAndPullback(
          at: q, cotangents: cotangents, posesInto: &into.0, gradientInto: &into.1, format: format,
          coordinates: coordinates)
        #expect(into.0 == poses)
        #expect(into.1 == gradient)
        try kinematics.pullback(
          at: q, cotangents: cotangents, into: &into.0, format: format, coordinates: coordinates)
        #expect(into.0 == gradient)
      }
    }
  }

  @Test("Value and gradient of a cost", arguments: PoseFormat.allCases, [1, 7, 17])
  func cost(format: PoseFormat, count: Int) throws {
    var problem = try RandomModel(seed: 5)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(count)
    let width = problem.frames.count * format.width
    let (values, gradient) = try kinematics.valueAndGradient(at: q, format: format) {
      index, pose, cotangent in
      var sum = Double(index)
      for i in pose.indices {
        sum += pose[i] * pose[i] * Double(i % 5)
        cotangent[i] += 2 * pose[i] * Double(i % 5)
      }
      return sum
    }
    let poses = try kinematics.poses(at: q, format: format)
    let expected = (0..<count).map { c in
      (0..<width).reduce(Double(c)) { $0 + poses[c * width + $1] * poses[c * width + $1] * Double($1 % 5) }
    }
    #expect(relativeError(values, expected) < 1e-14)
    let cotangents = poses.indices.map { 2 * poses[$0] * Double($0 % width % 5) }
    #expect(try kinematics.pullback(at: q, cotangents: cotangents, format: format) == gradient)
  }

  @Test("One configuration alone, and in a group", arguments: [1, 7, 8, 9, 17])
  func groups(count: Int) throws {
    var problem = try RandomModel(seed: 7)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let q = problem.positions(count)
    let cotangents = problem.cotangents(count, .matrix4x4)
    let batch = try kinematics.pullback(at: q, cotangents: cotangents, format: .matrix4x4)
    let (nq, width) = (problem.model.positionCount, problem.frames.count * 16)
    let single = try (0..<count).flatMap { c -> [Double] in
      try kinematics.pullback(
        at: Array(q[(c * nq)..<(c * nq + nq)]),
        cotangents: Array(cotangents[(c * width)..<(c * width + width)]), format: .matrix4x4)
    }
    #expect(batch.count == count * problem.model.velocityCount)
    #expect(relativeError(batch, single) < 1e-14)
  }

  @Test("The number of threads does not matter", arguments: PoseFormat.allCases)
  func threads(format: PoseFormat) throws {
    var problem = try RandomModel(seed: 9)
    let kinematics = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    // Poses of this many do not go through caches.
    let count = 6001
    #expect(count * problem.frames.count * format.width * 8 > 8 << 20 || format == .positionQuaternion)
    let q = problem.positions(count)
    let cotangents = problem.cotangents(count, format)
    let one = try kinematics.pullback(at: q, cotangents: cotangents, format: format, threads: 1)
    let poses = try kinematics.poses(at: q, format: format, threads: 1)
    for threads in [1, 2, 3, 16] {
      #expect(
        try kinematics.pullback(at: q, cotangents: cotangents, format: format, threads: threads) == one)
      let both = try kinematics.posesAndPullback(
        at: q, cotangents: cotangents, format: format, threads: threads)
      #expect(both.gradient == one && both.poses == poses)
    }
  }

  /// 2e-6: the sum of some 20 products of numbers in float32, along chains of up to nine bodies.
  @Test("Single precision", arguments: seeds, PoseFormat.allCases)
  func float32(seed: UInt64, format: PoseFormat) throws {
    var problem = try RandomModel(seed: seed)
    let wide = try ForwardKinematics<Double>(problem.model, frames: problem.frames)
    let narrow = try ForwardKinematics<Float>(problem.model, frames: problem.frames)
    for count in [1, 15, 16, 33] {
      let q = problem.positions(count).map(Float.init)
      let cotangents = problem.cotangents(count, format).map(Float.init)
      for coordinates in GradientCoordinates.allCases {
        let expected = try wide.pullback(
          at: q.map(Double.init), cotangents: cotangents.map(Double.init), format: format,
          coordinates: coordinates)
        let actual = try narrow.pullback(
          at: q, cotangents: cotangents, format: format, coordinates: coordinates)
        #expect(relativeError(actual.map(Double.init), expected) < 2e-6)
      }
    }
  }

  /// A slide joint does not turn anything: cotangents of rotations give it nothing, whatever it hangs on.
  @Test("Slide joints do not see rotations")
  func slides() throws {
    let model = try Model(
      mjcf: """
        <mujoco><worldbody><body pos="0.1 0.2 0.3"><joint name="a" axis="0.3 0.4 0.5" pos="0.1 0 0"/>
          <joint name="b" type="slide" axis="0.6 0 0.8"/><joint name="c" axis="0 1 0" pos="0 0.3 0"/><geom size="0.1"/>
          <body pos="0 0 0.4"><joint name="d" type="slide" axis="0 1 0"/><geom size="0.1"/></body></body></worldbody>
        </mujoco>
        """, name: "slides.xml")
    let kinematics = try ForwardKinematics<Double>(model, frames: [Frame(body: 2)])
    var random = SeededRandom(seed: 1)
    let q = [0.4, 0.2, -0.7, 0.1]
    var cotangents = random.uniform(-1, 1, count: 12)
    for k in [3, 7, 11] { cotangents[k] = 0 }
    let gradient = try kinematics.pullback(at: q, cotangents: cotangents, format: .matrix3x4)
    #expect(gradient[1] == 0 && gradient[3] == 0)
    #expect(abs(gradient[0]) > 0.1 && abs(gradient[2]) > 0.1)
  }

  /// Joints that mimic others, read from a file, whichever comes first in it.
  @Test("Mimic joints feed their source", arguments: [true, false])
  func mimics(sourceIsFirst: Bool) throws {
    func joint(_ name: String, _ parent: String, _ child: String, _ axis: String, _ relation: String)
      -> String
    {
      """
      <joint name="\(name)" type="revolute"><parent link="\(parent)"/><child link="\(child)"/>
      <origin xyz="0.1 0.2 0.3" rpy="0.3 0.2 0.1"/><axis xyz="\(axis)"/>
      <limit lower="-3" upper="3" effort="1" velocity="1"/>\(relation)</joint>
      """
    }
    let source = joint("s", sourceIsFirst ? "w" : "b", sourceIsFirst ? "a" : "c", "0 0.6 0.8", "")
    let mimic = joint(
      "m", sourceIsFirst ? "a" : "w", "b", "1 0 0", "<mimic joint=\"s\" multiplier=\"-1.7\" offset=\"0.4\"/>")
    let inertial =
      "<inertial><mass value=\"1\"/><inertia ixx=\"1\" iyy=\"1\" izz=\"1\" ixy=\"0\" ixz=\"0\" iyz=\"0\"/></inertial>"
    let links = ["w", "a", "b", "c"].filter { $0 != (sourceIsFirst ? "c" : "a") }
    let text =
      "<robot name=\"r\">" + links.map { "<link name=\"\($0)\">\(inertial)</link>" }.joined()
      + (sourceIsFirst ? source + mimic : mimic + source) + "</robot>"
    let model = try Model(urdf: text, name: "r.urdf")
    #expect(model.velocityCount == 1)
    let kinematics = try ForwardKinematics<Double>(model, frames: Frame.bodies(of: model))
    var random = SeededRandom(seed: 4)
    let weights = random.uniform(-1, 1, count: model.bodies.count * 12)
    let gradient = try kinematics.pullback(at: [0.3], cotangents: weights, format: .matrix3x4)
    let differences = try CentralDifferences(step: 0.02) {
      dot(weights, try kinematics.poses(at: [0.3 + $0], format: .matrix3x4))
    }
    #expect(abs(gradient[0] - differences.extrapolated) < 1e-10 * abs(gradient[0]))

    // With the tie cut, the chain rule by hand.
    var free = model
    let index = try #require(free.joints.firstIndex { $0.mimic != nil })
    let relation = try #require(free.joints[index].mimic)
    free.joints[index].mimic = nil
    free.joints[index].positionAddress = 1
    free.joints[index].velocityAddress = 1
    free.positionCount = 2
    free.velocityCount = 2
    free.defaultPosition = [0, 0]
    let separate = try ForwardKinematics<Double>(free, frames: Frame.bodies(of: free))
    let parts = try separate.pullback(
      at: [0.3, relation.multiplier * 0.3 + relation.offset], cotangents: weights, format: .matrix3x4)
    #expect(abs(gradient[0] - (parts[0] + relation.multiplier * parts[1])) < 1e-14)
  }
}
