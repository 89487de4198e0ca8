import Kinematics
import Lanes
import TestSupport
import Testing

@testable import RigidBody

/// Two geoms with their poses and sizes, and what a contact of theirs depends on as eighteen numbers.
struct ContactGeometry {
  var kind: PairKind
  var pose1: GeomPose<Double>
  var size1: Vector3<Double>
  var pose2: GeomPose<Double>
  var size2: Vector3<Double>

  init(_ kind: PairKind, _ random: inout SeededRandom) {
    self.kind = kind
    func pose(_ spread: Double) -> GeomPose<Double> {
      let position = random.vector(Double.self, in: -spread...spread)
      let q = random.vector(Double.self)
      let turn = Quaternion(random.uniform(-1, 1), q).normalized.matrix
      return GeomPose(position: position, rotation: turn)
    }
    pose1 = pose(0.05)
    pose2 = pose(0.4)
    size1 = random.vector(Double.self, in: 0.08...0.3)
    size2 = random.vector(Double.self, in: 0.08...0.3)
  }

  /// Direction 0 to 2 translates, 3 to 5 turns the first geom, 6 to 8 changes its sizes; 9 to 17 likewise the second.
  func moved(_ direction: Int, by step: Double) -> Self {
    var result = self
    func move(_ pose: inout GeomPose<Double>, _ size: inout Vector3<Double>, _ k: Int) {
      if k < 3 {
        pose.position[k] += step
      } else if k < 6 {
        var axis = Vector3<Double>.zero
        axis[k - 3] = (0.5 * step).sine
        pose.rotation = Quaternion((0.5 * step).cosine, axis).matrix * pose.rotation
      } else {
        size[k - 6] += step
      }
    }
    if direction < 9 {
      move(&result.pose1, &result.size1, direction)
    } else {
      move(&result.pose2, &result.size2, direction - 9)
    }
    return result
  }

  func points() -> [ContactPoint<Double>] {
    withUnsafeTemporaryAllocation(of: ContactPoint<Double>.self, capacity: PairKind.largestPointCount) {
      memory in
      let count = collide(kind, pose1, size1, pose2, size2, cutoff: 0.1, into: memory.baseAddress!)
      return (0..<Int(count)).map { memory[$0] }
    }
  }

  func adjoint(
    _ point: ContactPoint<Double>, _ cotangent: ContactCotangent<Double>
  ) -> ContactGeometryCotangent<Double> {
    contactGeometryAdjoint(
      kind, branch: point.branch, pose1, size1, pose2, size2, distance: point.distance,
      position: point.position, frame: point.frame, cotangent, where: true)
  }
}

extension ContactCotangent<Double> {
  init(_ random: inout SeededRandom) {
    self.init(
      distance: random.uniform(-1, 1), position: random.vector(),
      frame: Matrix3(columns: random.vector(), random.vector(), random.vector()))
  }

  /// The scalar that the cotangents belong to.
  func value(_ point: ContactPoint<Double>) -> Double {
    let axes = point.frame
    return distance * point.distance + position.dot(point.position) + frame.column0.dot(axes.column0)
      + frame.column1.dot(axes.column1) + frame.column2.dot(axes.column2)
  }
}

extension ContactGeometryCotangent<Double> {
  var array: [Double] {
    [geom1, geom2].flatMap { $0.force.array + $0.torque.array + $0.size.array }
  }
}

@Suite struct CollisionGeometryAdjointTests {
  static let kinds = PairKind.allCases.filter(\.isAnalytic)

  /// Every component against central differences of the narrow phase, wherever the discrete case is the same at all steps.
  @Test(arguments: kinds) func centralDifferences(_ kind: PairKind) {
    var random = SeededRandom(seed: 40 + UInt64(kind.rawValue))
    var (checked, rejected) = (0, 0)
    var worst = 0.0
    var branches: Set<Int> = []
    var (converging, measurable) = (0, 0)
    for _ in 0..<1500 {
      let pair = ContactGeometry(kind, &random)
      let points = pair.points()
      for (k, point) in points.enumerated() {
        let cotangent = ContactCotangent(&random)
        let adjoint = pair.adjoint(point, cotangent)
        #expect(adjoint.array.map(abs).max()!.isFinite)
        guard adjoint.rawDefects == 0 else {
          rejected += 1
          continue
        }
        let scale = adjoint.array.map(abs).max()!
        for direction in 0..<18 {
          var isSame = true
          let differences = CentralDifferences(step: 2e-4) { step in
            let others = pair.moved(direction, by: step).points()
            guard others.count == points.count, others[k].branch == point.branch,
              (others[k].frame.column0 - point.frame.column0).norm < 0.1,
              (others[k].frame.column1 - point.frame.column1).norm < 0.1
            else {
              isSame = false
              return 0
            }
            return cotangent.value(others[k])
          }
          guard isSame else {
            rejected += 1
            continue
          }
          // A kink within the steps, as where an edge's end becomes nearest: the two extrapolations disagree.
          let values = differences.values
          guard abs(5 * values[1] - values[0] - 4 * values[2]) < 3e-7 * scale else {
            rejected += 1
            continue
          }
          checked += 1
          branches.insert(Int(point.branch))
          let error = abs(differences.extrapolated - adjoint.array[direction]) / scale
          worst = max(worst, error)
          if abs(differences.values[0] - differences.values[1]) > 1e-9 * scale {
            measurable += 1
            if abs(differences.convergence - 4) < 0.1 { converging += 1 }
          }
        }
      }
    }
    #expect(checked > 15_000 && rejected < checked / 10, "\(checked) checked, \(rejected) rejected")
    #expect(worst < 1e-7, "\(branches.count) branches, \(worst)")
    #expect(Double(converging) > 0.99 * Double(measurable))
  }

  /// Both geoms moved together move the contact: the two wrenches balance its cotangents.
  @Test(arguments: kinds) func wrenchesBalance(_ kind: PairKind) {
    var random = SeededRandom(seed: 80 + UInt64(kind.rawValue))
    var worst = 0.0
    var count = 0
    for _ in 0..<2000 {
      let pair = ContactGeometry(kind, &random)
      for point in pair.points() {
        let cotangent = ContactCotangent(&random)
        let adjoint = pair.adjoint(point, cotangent)
        let tangent = kind == .planeCapsule ? pair.pose2.axis : nil
        let bars = ContactPointCotangent(cotangent, frame: point.frame, tangent: tangent)
        let force = adjoint.geom1.force + adjoint.geom2.force - cotangent.position
        var torque = adjoint.geom1.torque + pair.pose1.position.cross(adjoint.geom1.force)
        torque += adjoint.geom2.torque + pair.pose2.position.cross(adjoint.geom2.force)
        torque -= point.position.cross(cotangent.position) + point.normal.cross(bars.normal)
        torque -= (tangent ?? .zero).cross(bars.tangent)
        let scale = adjoint.array.map(abs).max()!
        worst = max(worst, max(force.norm, torque.norm) / scale)
        count += 1
      }
    }
    #expect(count > 1000 && worst < 1e-12, "\(worst) in \(count) contacts")
  }

  /// Lanes that differ, some without a contact, give what each gives alone.
  private static func largestLaneError<L: Lane>(
    _ kind: PairKind, _ type: L.Type, _ random: inout SeededRandom
  ) -> Double {
    var worst = 0.0
    for _ in 0..<200 {
      var (pose1, pose2) = (
        GeomPose<L>(position: .zero, rotation: .zero), GeomPose<L>(position: .zero, rotation: .zero)
      )
      var (size1, size2) = (Vector3<L>.zero, Vector3<L>.zero)
      var (distance, branch, position) = (L(0.0), L(0.0), Vector3<L>.zero)
      var frame = Matrix3<L>.identity
      var cotangent = ContactCotangent<L>(distance: L(0.0), position: .zero, frame: .zero)
      var mask = L.Mask(repeating: false)
      var expected: [ContactGeometryCotangent<Double>?] = []
      for lane in 0..<L.laneCount {
        let pair = ContactGeometry(kind, &random)
        pose1.set(pair.pose1, lane: lane)
        pose2.set(pair.pose2, lane: lane)
        size1.set(pair.size1, lane: lane)
        size2.set(pair.size2, lane: lane)
        let bars = ContactCotangent(&random)
        cotangent.distance[lane: lane] = L.Scalar(bars.distance)
        cotangent.position.set(bars.position, lane: lane)
        cotangent.frame.set(bars.frame, lane: lane)
        expected.append(nil)
        guard let point = pair.points().randomElement(using: &random) else { continue }
        mask[lane: lane] = true
        distance[lane: lane] = L.Scalar(point.distance)
        branch[lane: lane] = L.Scalar(point.branch)
        position.set(point.position, lane: lane)
        frame.set(point.frame, lane: lane)
        expected[lane] = pair.adjoint(point, bars)
      }
      let found = contactGeometryAdjoint(
        kind, branch: branch, pose1, size1, pose2, size2, distance: distance, position: position,
        frame: frame,
        cotangent, where: mask)
      for lane in 0..<L.laneCount {
        let array = found.lane(lane).array
        guard let other = expected[lane] else {
          #expect(array.allSatisfy { $0 == 0 } && found.defects(lane: lane).isEmpty)
          continue
        }
        #expect(found.defects(lane: lane).rawValue == Int32(other.rawDefects))
        let scale = other.array.map(abs).max()!
        // Where centres or axes nearly meet, the inputs' rounding is magnified.
        let apart = Double(distance[lane: lane] + size1.x[lane: lane] + size2.x[lane: lane])
        guard scale < 10, kind != .capsuleCapsule || apart > 0.01 else { continue }
        worst = max(worst, zip(array, other.array).map { abs($0 - $1) }.max()! / scale)
      }
    }
    return worst
  }

  @Test(arguments: kinds) func lanes(_ kind: PairKind) {
    var random = SeededRandom(seed: 120 + UInt64(kind.rawValue))
    let double = Self.largestLaneError(kind, SIMD8<Double>.self, &random)
    let float = Self.largestLaneError(kind, SIMD16<Float>.self, &random)
    #expect(double < 1e-12 && float < 1e-4, "\(double) \(float)")
  }
}

extension Matrix3 {
  fileprivate mutating func set(_ matrix: Matrix3<Double>, lane: Int) {
    column0.set(matrix.column0, lane: lane)
    column1.set(matrix.column1, lane: lane)
    column2.set(matrix.column2, lane: lane)
  }
}

extension ContactGeometryCotangent {
  fileprivate func lane(_ lane: Int) -> ContactGeometryCotangent<Double> {
    func one(_ geom: GeomCotangent<L>) -> GeomCotangent<Double> {
      GeomCotangent(force: geom.force.lane(lane), torque: geom.torque.lane(lane), size: geom.size.lane(lane))
    }
    return ContactGeometryCotangent<Double>(
      geom1: one(geom1), geom2: one(geom2), rawDefects: Double(rawDefects[lane: lane]))
  }
}
