import Kinematics
import Lanes
import Synchronization

/// Scratch memory of one lane group in the batched algorithms; each thread has its own.
final class AlgorithmWorkspace<L: Lane>: @unchecked Sendable where L.Scalar: LaneScalar {
  private let plan: AlgorithmPlan<L.Scalar>
  private var arena: Arena
  /// Inputs: a number for each entry of the position or velocity vector, and six for each body.
  let positions: UnsafeMutablePointer<L>
  let velocities: UnsafeMutablePointer<L>
  let accelerations: UnsafeMutablePointer<L>
  let forces: UnsafeMutablePointer<L>
  let bodyForces: UnsafeMutablePointer<L>
  /// Results of the inverse dynamics.
  let output: UnsafeMutablePointer<L>
  /// By link.
  let poses: UnsafeMutablePointer<Pose<L>>
  let linkVelocities: UnsafeMutablePointer<Motion<L>>
  let linkAccelerations: UnsafeMutablePointer<Motion<L>>
  let linkForces: UnsafeMutablePointer<Force<L>>
  let composites: UnsafeMutablePointer<RigidInertia<L>>
  /// By direction.
  let directions: UnsafeMutablePointer<Motion<L>>
  /// The mass matrix on its pattern, and its factor.
  let factor: UnsafeMutablePointer<L>
  /// At which degree of freedom each lane's mass matrix was found to be singular, or -1.
  private(set) var singularDegreeOfFreedom: [Int]
  private(set) var isSingular = false

  /// Dense matrices, kept by direction and by degree of freedom.
  private(set) lazy var massMatrix = LaneMatrix<L>(plan.tree)
  private(set) lazy var articulated = ArticulatedBuffers<L>(plan.tree)
  private(set) lazy var derivatives = DerivativeBuffers<L>(plan.tree)

  init(_ plan: AlgorithmPlan<L.Scalar>) {
    self.plan = plan
    let tree = plan.tree
    let n = plan.velocityCount
    var measure = ArenaMeasure()
    measure.take(L.self, tree.positionCount)
    for _ in 0..<4 { measure.take(L.self, n) }
    measure.take(L.self, 6 * plan.dynamics.bodyCount)
    measure.take(Pose<L>.self, tree.linkCount)
    for _ in 0..<2 { measure.take(Motion<L>.self, tree.linkCount) }
    measure.take(Force<L>.self, tree.linkCount)
    measure.take(RigidInertia<L>.self, tree.linkCount)
    measure.take(Motion<L>.self, tree.directionCount)
    measure.take(L.self, plan.pattern.entryCount)
    arena = Arena(byteCount: measure.byteCount)
    positions = arena.take(L.self, tree.positionCount)
    velocities = arena.take(L.self, n)
    accelerations = arena.take(L.self, n)
    forces = arena.take(L.self, n)
    output = arena.take(L.self, n)
    bodyForces = arena.take(L.self, 6 * plan.dynamics.bodyCount)
    poses = arena.take(Pose<L>.self, tree.linkCount)
    linkVelocities = arena.take(Motion<L>.self, tree.linkCount)
    linkAccelerations = arena.take(Motion<L>.self, tree.linkCount)
    linkForces = arena.take(Force<L>.self, tree.linkCount)
    composites = arena.take(RigidInertia<L>.self, tree.linkCount)
    directions = arena.take(Motion<L>.self, tree.directionCount)
    factor = arena.take(L.self, plan.pattern.entryCount)
    singularDegreeOfFreedom = Array(repeating: -1, count: L.laneCount)
  }

  /// Remembers in which lanes the matrix is singular; the first report of a lane counts.
  @inline(never)
  func reportSingular(_ lanes: L.Mask, degreeOfFreedom: Int) {
    isSingular = true
    for lane in 0..<L.laneCount where lanes[lane: lane] && singularDegreeOfFreedom[lane] < 0 {
      singularDegreeOfFreedom[lane] = degreeOfFreedom
    }
  }

  func forgetSingular() {
    guard isSingular else { return }
    isSingular = false
    for lane in singularDegreeOfFreedom.indices { singularDegreeOfFreedom[lane] = -1 }
  }
}

/// A dense matrix in lanes. Kernels write entries that the tree couples; all others are zero and stay so.
final class LaneMatrix<L: Lane>: @unchecked Sendable {
  private var arena: Arena
  /// Row by row, between directions.
  let byDirection: UnsafeMutablePointer<L>
  /// Row by row, between degrees of freedom; the same memory where there are no mimic joints.
  let entries: UnsafeMutablePointer<L>

  init(_ tree: KinematicTree<L.Scalar>) {
    let directionCount = tree.directionCount * tree.directionCount
    let entryCount = tree.velocityCount * tree.velocityCount
    var measure = ArenaMeasure()
    measure.take(L.self, directionCount)
    if tree.hasMimic { measure.take(L.self, entryCount) }
    arena = Arena(byteCount: measure.byteCount)
    byDirection = arena.take(L.self, directionCount)
    entries = tree.hasMimic ? arena.take(L.self, entryCount) : byDirection
  }

  /// Sums what the directions of one degree of freedom do.
  @inline(__always)
  func collect(_ tree: KinematicTree<L.Scalar>) {
    guard tree.hasMimic else { return }
    let n = tree.velocityCount
    let count = tree.directionCount
    var i = 0
    while i < n * n {
      entries[i] = L(0.0)
      i += 1
    }
    var row = 0
    while row < count {
      let target = entries + n * Int(tree.directionDegreeOfFreedom[row])
      let source = byDirection + count * row
      var column = 0
      while column < count {
        target[Int(tree.directionDegreeOfFreedom[column])] += source[column]
        column += 1
      }
      row += 1
    }
  }
}

/// Workspaces between calls, so that only the first calls allocate.
final class WorkspacePool<L: Lane>: Sendable where L.Scalar: LaneScalar {
  private let idle = Mutex<[AlgorithmWorkspace<L>]>([])
  private let plan: AlgorithmPlan<L.Scalar>
  init(_ plan: AlgorithmPlan<L.Scalar>) { self.plan = plan }

  /// A workspace that returns to the pool when its lease ends.
  func lease() -> WorkspaceLease<L> {
    WorkspaceLease(workspace: idle.withLock { $0.popLast() } ?? AlgorithmWorkspace(plan), pool: self)
  }

  fileprivate func giveBack(_ workspace: AlgorithmWorkspace<L>) { idle.withLock { $0.append(workspace) } }
}

final class WorkspaceLease<L: Lane> where L.Scalar: LaneScalar {
  let workspace: AlgorithmWorkspace<L>
  private let pool: WorkspacePool<L>
  init(workspace: AlgorithmWorkspace<L>, pool: WorkspacePool<L>) {
    self.workspace = workspace
    self.pool = pool
  }
  deinit { pool.giveBack(workspace) }
}
