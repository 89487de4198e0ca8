import Kinematics
import Lanes

/// The constraints of one world as rows in MuJoCo's order (`efc_*`): equalities, friction loss, limits, contacts. For tests and
/// for people; it allocates.
struct ConstraintReport: Sendable {
  struct Row: Sendable {
    var type: ConstraintRowType
    /// Index of the equality, degree of freedom, tendon or joint; of contacts the index in ``ConstraintReport/contacts``.
    var id: Int
    var position: Double
    var margin: Double
    /// One entry for each degree of freedom.
    var jacobian: [Double]
    /// Reference acceleration.
    var reference: Double
    /// D.
    var weight: Double
    /// Largest force of friction rows.
    var frictionLoss: Double
    /// Zero unless a solution was given.
    var force: Double = 0
  }

  struct ContactEntry: Sendable {
    /// Index in ``CollisionPlan/candidates``, and which of its contacts.
    var candidate: Int
    var number: Int
    var dimension: Int
    var distance: Double
    var position: Vector3<Double>
    /// Normal and two tangents, as columns.
    var frame: Matrix3<Double>
    /// Coefficients of directions 1 to 5, after the cone's `mu`.
    var friction: [Double]
    /// The slot that holds it.
    var slot: Int
    /// First of its rows, and how many there are.
    var rows: Range<Int>
    /// In the contact's axes; zero unless a solution was given.
    var force: [Double] = []
  }

  private(set) var rows: [Row] = []
  private(set) var contacts: [ContactEntry] = []

  /// - Parameters:
  ///   - assembler: as it was after ``ConstraintAssembler/assemble(poses:directions:positions:velocities:)``.
  ///   - solution: what the solver found for its system.
  init<L: Lane>(_ assembler: ConstraintAssembler<L>, lane: Int, solution: ConstraintSolution<L>? = nil) {
    addFixedRows(assembler, lane, solution)
    let plan = assembler.plan
    var found: [(slot: Int, source: ContactSource)] = []
    for slot in 0..<assembler.system.slotCount {
      let source = assembler.contactSources[slot * L.laneCount + lane]
      // Contacts in the gap have no rows.
      let pressing = assembler.system.contactWeight[6 * slot][lane: lane] != 0
      if source.candidate >= 0 && pressing { found.append((slot, source)) }
    }
    found.sort { ($0.source.candidate, $0.source.number) < ($1.source.candidate, $1.source.number) }
    for (slot, source) in found {
      addContact(assembler, slot, source, lane, isElliptic: plan.pattern.isElliptic, solution)
    }
  }

  private mutating func addFixedRows<L: Lane>(
    _ assembler: ConstraintAssembler<L>, _ lane: Int, _ solution: ConstraintSolution<L>?
  ) {
    let plan = assembler.plan
    let system = assembler.system
    for source in plan.rows {
      let r = source.row
      let weight = source.isUnit ? system.unitWeight[r] : system.sparseWeight[r]
      guard weight[lane: lane] != 0 else { continue }
      var jacobian = [Double](repeating: 0, count: plan.pattern.velocityCount)
      if source.isUnit {
        let row = plan.pattern.unitRows[r]
        jacobian[Int(row.degreeOfFreedom)] = Double(row.sign)
      } else {
        let row = plan.pattern.sparseRows[r]
        for k in Int(row.start)..<Int(row.start + row.count) {
          jacobian[Int(plan.pattern.support[k])] = Double(system.sparseJacobian[k][lane: lane])
        }
      }
      let detail = source.isUnit ? assembler.unitDetail[r] : assembler.sparseDetail[r]
      let parameters = source.isUnit ? plan.unitRows[r].parameters : plan.sparseParameters[r]
      func value(_ unit: UnsafeMutablePointer<L>, _ sparse: UnsafeMutablePointer<L>) -> Double {
        Double((source.isUnit ? unit[r] : sparse[r])[lane: lane])
      }
      rows.append(
        Row(
          type: source.type, id: source.id, position: Double(detail.position[lane: lane]),
          margin: Double(parameters.margin), jacobian: jacobian,
          reference: value(system.unitReference, system.sparseReference),
          weight: Double(weight[lane: lane]),
          frictionLoss: value(system.unitFriction, system.sparseFriction),
          force: solution.map { value($0.unitForce, $0.sparseForce) } ?? 0))
    }
  }

  private mutating func addContact<L: Lane>(
    _ assembler: ConstraintAssembler<L>, _ slot: Int, _ source: ContactSource, _ lane: Int, isElliptic: Bool,
    _ solution: ConstraintSolution<L>?
  ) {
    let system = assembler.system
    let layout = system.slots[slot]
    let detail = assembler.contactDetail[slot]
    let dimension = Int(layout.dimension)
    let count = Int(layout.supportCount)
    func values(_ pointer: UnsafeMutablePointer<L>) -> [Double] {
      (0..<dimension).map { Double(pointer[6 * slot + $0][lane: lane]) }
    }
    let (reference, weight) = (values(system.contactReference), values(system.contactWeight))
    let friction = (0..<6).map { Double(system.contactFriction[6 * slot + $0][lane: lane]) }
    let force = solution.map { values($0.contactForce) }
    let jacobian = (0..<dimension).map { d in
      var row = [Double](repeating: 0, count: assembler.plan.pattern.velocityCount)
      for k in 0..<count {
        let dof = Int(system.contactSupport[Int(layout.supportStart) + k])
        row[dof] = Double(system.contactJacobian[Int(layout.jacobianStart) + d * count + k][lane: lane])
      }
      return row
    }
    let distance = Double(detail.distance[lane: lane])
    let margin = Double(detail.margin[lane: lane])
    let start = rows.count
    let id = contacts.count
    func add(
      _ type: ConstraintRowType, _ jacobian: [Double], _ reference: Double, _ weight: Double,
      isNormal: Bool = true
    ) {
      rows.append(
        Row(
          type: type, id: id, position: isNormal ? distance : 0, margin: isNormal ? margin : 0,
          jacobian: jacobian, reference: reference, weight: weight, frictionLoss: 0))
    }
    if dimension == 1 {
      add(.frictionlessContact, jacobian[0], reference[0], weight[0])
      rows[start].force = force?[0] ?? 0
    } else if isElliptic {
      for d in 0..<dimension {
        add(.ellipticContact, jacobian[d], reference[d], weight[d], isNormal: d == 0)
        rows[start + d].force = force?[d] ?? 0
      }
    } else {
      for d in 1..<dimension {
        for sign in [1.0, -1.0] {
          let slope = sign * friction[d]
          let edge = zip(jacobian[0], jacobian[d]).map { $0 + slope * $1 }
          add(.pyramidalContact, edge, reference[0] + slope * reference[d], weight[0])
          guard let solution else { continue }
          let acceleration = edge.indices.reduce(0) {
            $0 + edge[$1] * Double(solution.acceleration[$1][lane: lane])
          }
          rows[rows.count - 1].force = max(0, weight[0] * (rows[rows.count - 1].reference - acceleration))
        }
      }
    }
    contacts.append(
      ContactEntry(
        candidate: Int(source.candidate), number: Int(source.number), dimension: dimension,
        distance: distance,
        position: detail.position.lane(lane),
        frame: Matrix3(
          columns: detail.frame.column0.lane(lane), detail.frame.column1.lane(lane),
          detail.frame.column2.lane(lane)),
        friction: friction, slot: slot, rows: start..<rows.count, force: force ?? []))
  }
}
