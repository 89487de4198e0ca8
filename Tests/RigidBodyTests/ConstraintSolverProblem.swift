import Kinematics
import Lanes
import TestSupport

@testable import RigidBody

/// The constraints of one world, row by row.
struct ConstraintProblem: Sendable {
  struct Row: Sendable {
    var support: [Int]
    var jacobian: [Double]
    var kind: RowKind
    var reference: Double
    var weight: Double
    var limit = 0.0
    var isUnit: Bool { support.count == 1 && abs(jacobian[0]) == 1 }
  }
  struct Contact: Sendable {
    var dimension: Int
    var support: [Int]
    /// `dimension` rows.
    var jacobian: [Double]
    var reference: [Double]
    /// One for each direction; of a pyramid the first counts.
    var weight: [Double]
    /// mu, then the coefficients of directions 1 to 5.
    var friction: [Double]
  }
  var isElliptic = false
  var parents: [Int]
  /// Rows along `parents`, the last one first.
  var mass: [Double]
  var smoothAcceleration: [Double]
  var smoothForce: [Double]
  var warmStart: [Double]
  var rows: [Row] = []
  var contacts: [Contact] = []
  var scale = 1.0

  var count: Int { parents.count }

  var denseMass: [[Double]] {
    var dense = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
    var entry = 0
    for row in (0..<count).reversed() {
      var column = row
      while column >= 0 {
        dense[row][column] = mass[entry]
        dense[column][row] = mass[entry]
        column = parents[column]
        entry += 1
      }
    }
    return dense
  }
}

/// What the solver found for one world.
struct ConstraintOutcome {
  var acceleration: [Double]
  var constraintForce: [Double]
  var rowForces: [Double]
  var contactForces: [[Double]]
  var status: ConstraintStatus
  var iterations: Int
  var kinkMargin: Double
}

/// Several worlds with the same tree as one lane group, each lane's k-th contact of a dimension in that dimension's k-th slot.
final class ConstraintLanes<L: Lane> where L.Scalar: LaneScalar {
  let problems: [ConstraintProblem]
  let solver: PrimalSolver<L.Scalar>
  let workspace: ConstraintSolverWorkspace<L>
  let system: ConstraintSystem<L>
  let solution: ConstraintSolution<L>
  let mass: UnsafeMutablePointer<L>
  let smoothAcceleration: UnsafeMutablePointer<L>
  let smoothForce: UnsafeMutablePointer<L>
  private var memory: [UnsafeMutableRawPointer] = []
  private var unitOfRow: [[Int]] = []
  private var sparseOfRow: [[Int]] = []
  private var slotOfContact: [[Int]] = []
  private let warm: UnsafeMutablePointer<L>

  /// Lanes beyond the problems repeat them.
  init(_ problems: [ConstraintProblem], options: ConstraintSolverOptions) {
    var lanes: [ConstraintProblem] = []
    for lane in 0..<L.laneCount { lanes.append(problems[lane % problems.count]) }
    self.problems = lanes
    let n = lanes[0].count
    var unit: [UnitRow] = []
    var sparse: [(support: [Int], kind: RowKind)] = []
    for problem in lanes {
      var unitUsed: Set<Int> = []
      var sparseUsed: Set<Int> = []
      var unitOf: [Int] = []
      var sparseOf: [Int] = []
      for row in problem.rows {
        if row.isUnit {
          let sign: Int8 = row.jacobian[0] < 0 ? -1 : 1
          let dof = Int32(row.support[0])
          let index =
            unit.indices.first {
              unit[$0].degreeOfFreedom == dof && unit[$0].kind == row.kind && unit[$0].sign == sign
                && !unitUsed.contains($0)
            } ?? unit.count
          if index == unit.count { unit.append(UnitRow(degreeOfFreedom: dof, kind: row.kind, sign: sign)) }
          unitUsed.insert(index)
          unitOf.append(index)
          sparseOf.append(-1)
        } else {
          let index =
            sparse.indices.first {
              sparse[$0].support == row.support && sparse[$0].kind == row.kind && !sparseUsed.contains($0)
            } ?? sparse.count
          if index == sparse.count { sparse.append((row.support, row.kind)) }
          sparseUsed.insert(index)
          sparseOf.append(index)
          unitOf.append(-1)
        }
      }
      unitOfRow.append(unitOf)
      sparseOfRow.append(sparseOf)
    }
    var sparseRows: [SparseRow] = []
    var support: [Int32] = []
    for row in sparse {
      sparseRows.append(
        SparseRow(start: Int32(support.count), count: Int32(row.support.count), kind: row.kind))
      support += row.support.map(Int32.init)
    }
    let pattern = ConstraintPattern(
      unitRows: ConstantBuffer(unit), sparseRows: ConstantBuffer(sparseRows),
      support: ConstantBuffer(support),
      isElliptic: lanes[0].isElliptic, velocityCount: n)

    // Slots: by dimension, then by number.
    var slots: [(dimension: Int, members: [Int: Int])] = []
    slotOfContact = lanes.map { [Int](repeating: -1, count: $0.contacts.count) }
    for dimension in [1, 3, 4, 6] {
      var k = 0
      while true {
        var members: [Int: Int] = [:]
        for lane in lanes.indices {
          let own = lanes[lane].contacts.indices.filter { lanes[lane].contacts[$0].dimension == dimension }
          if k < own.count {
            members[lane] = own[k]
            slotOfContact[lane][own[k]] = slots.count
          }
        }
        if members.isEmpty { break }
        slots.append((dimension, members))
        k += 1
      }
    }
    var taken: [UnsafeMutableRawPointer] = []
    func take<T>(_ count: Int, _ value: T) -> UnsafeMutablePointer<T> {
      let raw = UnsafeMutableRawPointer.allocate(
        byteCount: max(1, count) * MemoryLayout<T>.stride, alignment: 64)
      taken.append(raw)
      return raw.initializeMemory(as: T.self, repeating: value, count: max(1, count))
    }
    let zero = L(0.0)
    var slotArray: [ContactSlot] = []
    var contactSupport: [Int32] = []
    var jacobianCount = 0
    for slot in slots {
      var union: Set<Int> = []
      for (lane, contact) in slot.members { union.formUnion(lanes[lane].contacts[contact].support) }
      slotArray.append(
        ContactSlot(
          dimension: Int32(slot.dimension), supportStart: Int32(contactSupport.count),
          supportCount: Int32(union.count), jacobianStart: Int32(jacobianCount)))
      contactSupport += union.sorted().map(Int32.init)
      jacobianCount += slot.dimension * union.count
    }
    system = ConstraintSystem(
      unitReference: take(unit.count, zero), unitWeight: take(unit.count, zero),
      unitFriction: take(unit.count, zero), sparseReference: take(sparse.count, zero),
      sparseWeight: take(sparse.count, zero), sparseFriction: take(sparse.count, zero),
      sparseJacobian: take(support.count, zero), slotCount: slots.count,
      slots: take(slots.count, ContactSlot(dimension: 0, supportStart: 0, supportCount: 0, jacobianStart: 0)),
      contactSupport: take(contactSupport.count, 0), contactJacobian: take(jacobianCount, zero),
      contactReference: take(6 * slots.count, zero), contactWeight: take(6 * slots.count, zero),
      contactFriction: take(6 * slots.count, zero))
    solution = ConstraintSolution(
      acceleration: take(n, zero), constraintForce: take(n, zero), unitForce: take(unit.count, L(7.0)),
      sparseForce: take(sparse.count, L(7.0)), contactForce: take(6 * slots.count, L(7.0)))
    mass = take(lanes[0].mass.count, zero)
    smoothAcceleration = take(n, zero)
    smoothForce = take(n, zero)
    warm = take(n, zero)
    for (index, slot) in slotArray.enumerated() { system.slots[index] = slot }
    for (index, dof) in contactSupport.enumerated() { system.contactSupport[index] = dof }
    for (lane, problem) in lanes.enumerated() {
      for i in 0..<n {
        smoothAcceleration[i][lane: lane] = L.Scalar(problem.smoothAcceleration[i])
        smoothForce[i][lane: lane] = L.Scalar(problem.smoothForce[i])
        warm[i][lane: lane] = L.Scalar(problem.warmStart[i])
      }
      for i in problem.mass.indices { mass[i][lane: lane] = L.Scalar(problem.mass[i]) }
      for (index, row) in problem.rows.enumerated() {
        let u = unitOfRow[lane][index]
        if u >= 0 {
          system.unitReference[u][lane: lane] = L.Scalar(row.reference)
          system.unitWeight[u][lane: lane] = L.Scalar(row.weight)
          system.unitFriction[u][lane: lane] = L.Scalar(row.limit)
        } else {
          let s = sparseOfRow[lane][index]
          system.sparseReference[s][lane: lane] = L.Scalar(row.reference)
          system.sparseWeight[s][lane: lane] = L.Scalar(row.weight)
          system.sparseFriction[s][lane: lane] = L.Scalar(row.limit)
          for j in row.jacobian.indices {
            system.sparseJacobian[Int(sparseRows[s].start) + j][lane: lane] = L.Scalar(row.jacobian[j])
          }
        }
      }
      for (index, contact) in problem.contacts.enumerated() {
        let s = slotOfContact[lane][index]
        let slot = slotArray[s]
        for d in 0..<6 {
          if d < contact.dimension {
            system.contactReference[6 * s + d][lane: lane] = L.Scalar(contact.reference[d])
            system.contactWeight[6 * s + d][lane: lane] = L.Scalar(contact.weight[d])
          }
          system.contactFriction[6 * s + d][lane: lane] = L.Scalar(contact.friction[d])
        }
        for (j, dof) in contact.support.enumerated() {
          let place = (0..<Int(slot.supportCount)).first {
            contactSupport[Int(slot.supportStart) + $0] == Int32(dof)
          }!
          for d in 0..<contact.dimension {
            system.contactJacobian[Int(slot.jacobianStart) + d * Int(slot.supportCount) + place][lane: lane] =
              L.Scalar(contact.jacobian[d * contact.support.count + j])
          }
        }
      }
    }
    let pattern2 = MassMatrixPattern(parents: lanes[0].parents.map(Int32.init))
    solver = PrimalSolver(pattern, pattern2, options: options)
    workspace = ConstraintSolverWorkspace(solver)
    memory = taken
  }

  deinit { for raw in memory { raw.deallocate() } }

  /// Solves from the warm start.
  func solve(factorsHessian: Bool = true) {
    for i in 0..<problems[0].count { solution.acceleration[i] = warm[i] }
    solveConstraints(
      solver, workspace, system, massMatrix: mass, smoothAcceleration: smoothAcceleration,
      smoothForce: smoothForce, solution, factorsHessian: factorsHessian)
  }

  func outcome(_ lane: Int = 0) -> ConstraintOutcome {
    func values(_ pointer: UnsafeMutablePointer<L>, _ range: Range<Int>) -> [Double] {
      range.map { Double(pointer[$0][lane: lane]) }
    }
    let n = problems[0].count
    return ConstraintOutcome(
      acceleration: values(solution.acceleration, 0..<n),
      constraintForce: values(solution.constraintForce, 0..<n),
      rowForces: problems[lane].rows.indices.map { index in
        let u = unitOfRow[lane][index]
        return Double(
          u >= 0
            ? solution.unitForce[u][lane: lane] : solution.sparseForce[sparseOfRow[lane][index]][lane: lane])
      },
      contactForces: problems[lane].contacts.indices.map { index in
        let s = slotOfContact[lane][index]
        return values(solution.contactForce, 6 * s..<6 * s + problems[lane].contacts[index].dimension)
      },
      status: workspace.status[lane], iterations: Int(workspace.iterations[lane]),
      kinkMargin: Double(workspace.kinkMargin.pointee[lane: lane]))
  }

  /// `H⁻¹ b` with the factor.
  func solveHessian(_ rightHandSide: [Double], lane: Int = 0) -> [Double] {
    let x = UnsafeMutablePointer<L>.allocate(capacity: rightHandSide.count)
    defer { x.deallocate() }
    for (i, value) in rightHandSide.enumerated() { x[i] = L(value) }
    workspace.hessian.solve(x)
    return rightHandSide.indices.map { Double(x[$0][lane: lane]) }
  }
}

/// `‖a − b‖ / ‖b‖`.
func relativeDistance(_ a: [Double], _ b: [Double], floor: Double = 1e-300) -> Double {
  let difference = zip(a, b).map { ($0 - $1) * ($0 - $1) }.reduce(0, +).squareRoot()
  return difference / max(b.map { $0 * $0 }.reduce(0, +).squareRoot(), floor)
}
