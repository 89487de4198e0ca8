import Foundation
import Kinematics
import Lanes
import RobotModels
import TestSupport

@testable import RigidBody

/// Constraint rows of one model's states (see Tools/write_constraint_fixtures.py).
struct ConstraintRowsReference: Decodable {
  var states: [State]

  struct State: Decodable {
    var qpos: [Double]
    var qvel: [Double]
    var rows: [Double]
    var jacobian: [Double]

    /// Type, position, margin, reference, weight and largest friction force.
    var expected: [[Double]] {
      stride(from: 0, to: rows.count, by: 6).map { Array(rows[$0..<$0 + 6]) }
    }
  }
}

/// An assembler with the kinematics that it needs.
final class ConstraintRowsProblem<L: Lane> where L.Scalar: LaneScalar {
  let model: Model
  let plan: ConstraintPlan<L.Scalar>
  let assembler: ConstraintAssembler<L>
  let poses: UnsafeMutablePointer<Pose<L>>
  let directions: UnsafeMutablePointer<Motion<L>>
  let positions: UnsafeMutablePointer<L>
  let velocities: UnsafeMutablePointer<L>
  /// For the lengths of spatial tendons.
  private let dynamics: DynamicsPlan<L.Scalar>
  private var arena: Arena
  private let record: StepRecord<L>

  init(_ model: Model) throws {
    self.model = model
    dynamics = DynamicsPlan(model, features: [])
    arena = Arena(byteCount: StepRecord<L>.byteCount(dynamics))
    record = StepRecord(dynamics, &arena)
    plan = try ConstraintPlan(model, tree: KinematicTree(model))
    assembler = ConstraintAssembler(plan)
    poses = .allocate(capacity: plan.tree.linkCount)
    directions = .allocate(capacity: plan.tree.directionCount + 1)
    positions = .allocate(capacity: model.positionCount + 1)
    velocities = .allocate(capacity: model.velocityCount + 1)
  }

  deinit {
    poses.deallocate()
    directions.deallocate()
    positions.deallocate()
    velocities.deallocate()
  }

  /// One state for each lane; lanes beyond the states repeat them.
  func assemble(_ states: [(qpos: [Double], qvel: [Double])]) {
    for i in 0..<model.positionCount { positions[i] = L(0.0) }
    for i in 0..<model.velocityCount { velocities[i] = L(0.0) }
    for lane in 0..<L.laneCount {
      let state = states[lane % states.count]
      for i in 0..<model.positionCount { positions[i][lane: lane] = L.Scalar(state.qpos[i]) }
      for i in 0..<model.velocityCount { velocities[i][lane: lane] = L.Scalar(state.qvel[i]) }
    }
    place()
    assemble()
  }

  func place() { positionPass(plan.tree, positions: positions, poses: poses, directions: directions) }

  func assemble() {
    guard plan.hasSpatialTendons else {
      assembler.assemble(poses: poses, directions: directions, positions: positions, velocities: velocities)
      return
    }
    record.poses.update(from: poses, count: plan.tree.linkCount)
    record.directions.update(from: directions, count: plan.tree.directionCount)
    record.positions.update(from: positions, count: model.positionCount)
    transmissionPass(dynamics, record)
    assembler.assemble(
      poses: poses, directions: directions, positions: positions, velocities: velocities,
      tendons: TendonState(
        transmissions: dynamics.transmissions, lengths: record.lengths, moments: record.moments))
  }
}
