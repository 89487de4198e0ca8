public import Lanes
import RobotModels

/// Gradient with respect to `solref` and `solimp` of a constraint.
public struct SolverParameterGradient: Sendable, Equatable {
  /// Two numbers: time constant and damping ratio, or minus stiffness and minus damping. Zero where a time constant is below
  /// what `refsafe` allows.
  public var reference: [Double] = [0, 0]
  /// Five numbers: start, end, width, midpoint, power. Zero where MuJoCo limits the number.
  public var impedance: [Double] = [0, 0, 0, 0, 0]
  public init() {}

  static func += (a: inout Self, b: Self) {
    for k in 0..<2 { a.reference[k] += b.reference[k] }
    for k in 0..<5 { a.impedance[k] += b.impedance[k] }
  }

  func scaled(by factor: Double) -> Self {
    var result = self
    for k in 0..<2 { result.reference[k] *= factor }
    for k in 0..<5 { result.impedance[k] *= factor }
    return result
  }

  var values: [Double] { reference + impedance }
}

/// Gradient with respect to the numbers of a model's constraints: fields of the compiled model, approximate inverse inertias
/// (`invweight0`) held fixed.
///
/// What two geoms mix is handed to the geoms as the mixture takes it: to the one of higher priority, of equals the larger
/// friction coefficient's (half to each where they are the same), `solref` and `solimp` by the shares of `solmix`. Pairs that
/// the file names have numbers of their own. Masses do not follow sizes; sizes of meshes, `gap` and `solmix` are not among
/// the parameters.
public struct ConstraintParameterGradient: Sendable, Equatable {
  /// By geom: sliding, torsional and rolling friction.
  public var geomFriction: [Vector3<Double>]
  public var geomSolver: [SolverParameterGradient]
  public var geomMargin: [Double]
  public var geomSize: [Vector3<Double>]
  /// By geom: position in the body's frame, and a small turn about the geom's own axes.
  public var geomPosition: [Vector3<Double>]
  public var geomRotation: [Vector3<Double>]
  /// By contact pair of the file: five friction coefficients, `solref` and `solimp`, `solreffriction`.
  public var pairFriction: [[Double]]
  public var pairSolver: [SolverParameterGradient]
  public var pairSolverReferenceFriction: [[Double]]
  public var pairMargin: [Double]
  /// By degree of freedom.
  public var frictionLoss: [Double]
  public var frictionSolver: [SolverParameterGradient]
  /// By joint: both ends of the range.
  public var jointRange: [[Double]]
  public var jointMargin: [Double]
  public var jointLimitSolver: [SolverParameterGradient]
  /// By tendon.
  public var tendonFrictionLoss: [Double]
  public var tendonFrictionSolver: [SolverParameterGradient]
  public var tendonRange: [[Double]]
  public var tendonMargin: [Double]
  public var tendonLimitSolver: [SolverParameterGradient]
  /// By equality.
  public var equalitySolver: [SolverParameterGradient]

  init(_ model: Model) {
    func zeros(_ count: Int) -> [Double] { Array(repeating: 0, count: count) }
    func vectors(_ count: Int) -> [Vector3<Double>] { Array(repeating: .zero, count: count) }
    func solvers(_ count: Int) -> [SolverParameterGradient] { Array(repeating: .init(), count: count) }
    func rows(_ count: Int, _ width: Int) -> [[Double]] { Array(repeating: zeros(width), count: count) }
    let geoms = model.geoms.count
    geomFriction = vectors(geoms)
    geomSolver = solvers(geoms)
    geomMargin = zeros(geoms)
    geomSize = vectors(geoms)
    geomPosition = vectors(geoms)
    geomRotation = vectors(geoms)
    let pairs = model.contactPairs.count
    pairFriction = rows(pairs, 5)
    pairSolver = solvers(pairs)
    pairSolverReferenceFriction = rows(pairs, 2)
    pairMargin = zeros(pairs)
    frictionLoss = zeros(model.velocityCount)
    frictionSolver = solvers(model.velocityCount)
    jointRange = rows(model.joints.count, 2)
    jointMargin = zeros(model.joints.count)
    jointLimitSolver = solvers(model.joints.count)
    tendonFrictionLoss = zeros(model.tendons.count)
    tendonFrictionSolver = solvers(model.tendons.count)
    tendonRange = rows(model.tendons.count, 2)
    tendonMargin = zeros(model.tendons.count)
    tendonLimitSolver = solvers(model.tendons.count)
    equalitySolver = solvers(model.equalities.count)
  }

  /// All numbers, by the names of their fields.
  var fields: [(name: String, values: [Double])] {
    [
      ("geomFriction", geomFriction.flatMap(\.array)), ("geomSolver", geomSolver.flatMap(\.values)),
      ("geomMargin", geomMargin), ("geomSize", geomSize.flatMap(\.array)),
      ("geomPosition", geomPosition.flatMap(\.array)), ("geomRotation", geomRotation.flatMap(\.array)),
      ("pairFriction", pairFriction.flatMap { $0 }), ("pairSolver", pairSolver.flatMap(\.values)),
      ("pairSolverReferenceFriction", pairSolverReferenceFriction.flatMap { $0 }),
      ("pairMargin", pairMargin), ("frictionLoss", frictionLoss),
      ("frictionSolver", frictionSolver.flatMap(\.values)), ("jointRange", jointRange.flatMap { $0 }),
      ("jointMargin", jointMargin), ("jointLimitSolver", jointLimitSolver.flatMap(\.values)),
      ("tendonFrictionLoss", tendonFrictionLoss),
      ("tendonFrictionSolver", tendonFrictionSolver.flatMap(\.values)),
      ("tendonRange", tendonRange.flatMap { $0 }), ("tendonMargin", tendonMargin),
      ("tendonLimitSolver", tendonLimitSolver.flatMap(\.values)),
      ("equalitySolver", equalitySolver.flatMap(\.values)),
    ]
  }
}
