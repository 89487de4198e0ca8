import Kinematics
public import Lanes
import RobotModels

/// Gradient with respect to the fields of the compiled model, constants derived from them held fixed.
///
/// Summed over worlds and steps. Orientations of inertial frames are not among the parameters.
public struct ParameterGradient: Sendable, Equatable {
  /// By body: mass, centre of mass in the body frame (`body_ipos`), principal moments of inertia.
  public var mass: [Double]
  public var inertialPosition: [Vector3<Double>]
  public var inertia: [Vector3<Double>]
  /// By degree of freedom.
  public var armature: [Double]
  public var damping: [Double]
  /// By joint: stiffness, and for slide and hinge joints the rest position (`qpos_spring`).
  public var stiffness: [Double]
  public var springReference: [Double]
  /// By tendon: of fixed ones, which alone are simulated, also where they are zero in the model. Armature only where the
  /// tendon's joints lie on one path from the root outwards.
  public var tendonStiffness: [Double]
  public var tendonDamping: [Double]
  public var tendonArmature: [Double]
  /// The ends of the range in which the tendon's spring rests; where they are one, the sum counts.
  public var tendonSpringLength: [[Double]]
  /// By actuator: six gear entries, three gain and three bias parameters.
  public var gear: [[Double]]
  public var gainParameters: [[Double]]
  public var biasParameters: [[Double]]
  public var gravity: Vector3<Double>
  public var timestep: Double
  /// Of contacts, limits, friction loss and equalities; zero where a simulation has no constraints.
  public var constraints: ConstraintParameterGradient

  init(_ model: Model) {
    mass = Array(repeating: 0, count: model.bodies.count)
    inertialPosition = Array(repeating: .zero, count: model.bodies.count)
    inertia = Array(repeating: .zero, count: model.bodies.count)
    armature = Array(repeating: 0, count: model.velocityCount)
    damping = armature
    stiffness = Array(repeating: 0, count: model.joints.count)
    springReference = stiffness
    tendonStiffness = Array(repeating: 0, count: model.tendons.count)
    tendonDamping = tendonStiffness
    tendonArmature = tendonStiffness
    tendonSpringLength = Array(repeating: [0, 0], count: model.tendons.count)
    gear = Array(repeating: Array(repeating: 0, count: 6), count: model.actuators.count)
    gainParameters = Array(repeating: [0, 0, 0], count: model.actuators.count)
    biasParameters = gainParameters
    gravity = .zero
    timestep = 0
    constraints = ConstraintParameterGradient(model)
  }

  /// All numbers, by the names of their fields.
  var fields: [(name: String, values: [Double])] {
    [
      ("mass", mass), ("inertialPosition", inertialPosition.flatMap(\.array)),
      ("inertia", inertia.flatMap(\.array)), ("armature", armature), ("damping", damping),
      ("stiffness", stiffness), ("springReference", springReference),
      ("tendonStiffness", tendonStiffness), ("tendonDamping", tendonDamping),
      ("tendonArmature", tendonArmature), ("tendonSpringLength", tendonSpringLength.flatMap { $0 }),
      ("gear", gear.flatMap { $0 }),
      ("gainParameters", gainParameters.flatMap { $0 }), ("biasParameters", biasParameters.flatMap { $0 }),
      ("gravity", gravity.array), ("timestep", [timestep]),
    ] + constraints.fields.map { ("constraints.\($0.name)", $0.values) }
  }
}

/// Sums of one lane group's parameter cotangents over its lanes, as plain numbers in the order of the fields of
/// ``ParameterCotangents``.
struct ParameterSums {
  var inertias: [(mass: Double, moment: Vector3<Double>, rotational: Matrix3<Double>)]
  var bodyPoints: [Vector3<Double>]
  var compensatedPoints: [Vector3<Double>]
  var compensatedMasses: [Double]
  var fluidPoints: [Vector3<Double>]
  var fluidCoefficients: [Double]
  var armature: [Double]
  var damping: [Double]
  var stiffness: [Double]
  var springReference: [Double]
  var tendonStiffness: [Double]
  var tendonDamping: [Double]
  var tendonArmature: [Double]
  var tendonSpringLength: [Double]
  var gear: [Double]
  var gain: [Double]
  var bias: [Double]
  var gravity: Vector3<Double>
  var timestep: Double
  var constraints: [Double]

  /// - Parameters:
  ///   - lanes: how many lanes have a world of their own.
  ///   - skipped: lanes whose world diverged.
  init<L: Lane>(
    _ c: ParameterCotangents<L>, _ plan: DynamicsPlan<L.Scalar>, lanes: Int, skipping skipped: L.Mask,
    tangent: Bool
  ) {
    func sum(_ x: L) -> Double {
      var total = 0.0
      withUnsafePointer(to: x) {
        sumLanes($0, count: 1, lanes: lanes, skipping: skipped, into: &total, tangent: tangent)
      }
      return total
    }
    func sum(_ x: Vector3<L>) -> Vector3<Double> { Vector3(sum(x.x), sum(x.y), sum(x.z)) }
    func sums(_ x: UnsafeMutablePointer<L>, _ count: Int) -> [Double] { (0..<count).map { sum(x[$0]) } }
    func sums(_ x: UnsafeMutablePointer<Vector3<L>>, _ count: Int) -> [Vector3<Double>] {
      (0..<count).map { sum(x[$0]) }
    }
    inertias = (0..<plan.tree.linkCount).map { l in
      let i = c.inertias[l]
      let (xx, yy, zz) = (sum(i.rotational.xx), sum(i.rotational.yy), sum(i.rotational.zz))
      let (xy, xz, yz) = (sum(i.rotational.xy), sum(i.rotational.xz), sum(i.rotational.yz))
      return (sum(i.mass), sum(i.firstMoment), Matrix3(rowMajor: [xx, xy, xz, xy, yy, yz, xz, yz, zz]))
    }
    bodyPoints = sums(c.bodyPoints, plan.bodyPoints.count)
    compensatedPoints = sums(c.compensatedPoints, plan.compensatedBodies.count)
    compensatedMasses = sums(c.compensatedMasses, plan.compensatedBodies.count)
    fluidPoints = sums(c.fluidPoints, plan.fluidBodies.count)
    fluidCoefficients = sums(c.fluidCoefficients, 8 * plan.fluidBodies.count)
    armature = sums(c.armature, plan.velocityCount)
    damping = sums(c.damping, plan.velocityCount)
    stiffness = sums(c.stiffness, plan.springs.count)
    springReference = sums(c.springReference, plan.springs.count)
    let tendons = plan.transmissions.ofTendon.count
    tendonStiffness = sums(c.tendonStiffness, tendons)
    tendonDamping = sums(c.tendonDamping, tendons)
    tendonArmature = sums(c.tendonArmature, tendons)
    tendonSpringLength = sums(c.tendonSpringLength, 2 * tendons)
    gear = sums(c.gear, 6 * plan.actuators.count)
    gain = sums(c.gain, 3 * plan.actuators.count)
    bias = sums(c.bias, 3 * plan.actuators.count)
    gravity = sum(c.gravity[0])
    timestep = sum(c.timestep[0])
    constraints = sums(c.constraints, plan.constraintParameterCount)
  }
}

extension ParameterGradient {
  /// Adds one lane group's sums, mapped from links to the bodies they are made of.
  mutating func add<Scalar>(_ sums: ParameterSums, _ model: Model, _ plan: DynamicsPlan<Scalar>) {
    let tree = plan.tree
    for (index, body) in model.bodies.enumerated() where tree.bodyLink[index] != 0 {
      // A body adds m, m c and  R diag(I) Rᵀ + m (|c|² 1 − c cᵀ)  to its link's inertia.
      let link = sums.inertias[tree.bodyLink[index]]
      let frame = tree.bodyOrientation[index].matrix
      let axes = (tree.bodyOrientation[index] * body.inertialOrientation).normalized.matrix
      let c = tree.bodyPosition[index] + frame * body.inertialPosition
      let g = link.rotational
      let trace = g[0, 0] + g[1, 1] + g[2, 2]
      let gc = g * c
      mass[index] += link.mass + link.moment.dot(c) + trace * c.normSquared - c.dot(gc)
      let byCenter = (link.moment + c * (2 * trace) - gc * 2) * body.mass
      inertialPosition[index] += frame.transposedTimes(byCenter)
      inertia[index] += Vector3(
        axes.column0.dot(g * axes.column0), axes.column1.dot(g * axes.column1),
        axes.column2.dot(g * axes.column2))
    }
    for i in 0..<plan.bodyPoints.count { addPoint(sums.bodyPoints[i], Int(plan.bodyPoints[i].body), tree) }
    for i in 0..<plan.compensatedBodies.count {
      let body = Int(plan.compensatedBodies[i].body)
      addPoint(sums.compensatedPoints[i], body, tree)
      mass[body] += sums.compensatedMasses[i] * model.bodies[body].gravityCompensation
    }
    for i in 0..<plan.fluidBodies.count {
      let body = Int(plan.fluidBodies[i].body)
      addPoint(sums.fluidPoints[i], body, tree)
      addFluid(Array(sums.fluidCoefficients[8 * i..<8 * i + 8]), body, model)
    }
    for i in 0..<plan.velocityCount {
      armature[i] += sums.armature[i]
      damping[i] += sums.damping[i]
    }
    for i in 0..<plan.springs.count {
      let spring = plan.springs[i]
      stiffness[Int(spring.joint)] += sums.stiffness[i]
      if spring.kind == .scalar && model.joints[Int(spring.joint)].mimic == nil {
        springReference[Int(spring.joint)] += sums.springReference[i]
      }
    }
    for i in tendonStiffness.indices {
      tendonStiffness[i] += sums.tendonStiffness[i]
      tendonDamping[i] += sums.tendonDamping[i]
      tendonArmature[i] += sums.tendonArmature[i]
      for k in 0..<2 { tendonSpringLength[i][k] += sums.tendonSpringLength[2 * i + k] }
    }
    for i in 0..<plan.actuators.count {
      for k in 0..<6 { gear[i][k] += sums.gear[6 * i + k] }
      for k in 0..<3 {
        gainParameters[i][k] += sums.gain[3 * i + k]
        biasParameters[i][k] += sums.bias[3 * i + k]
      }
    }
    if !model.options.disabled.contains(.gravity) { gravity += sums.gravity }
    timestep += sums.timestep
    plan.constraints?.addParameters(sums.constraints, to: &self, model)
  }

  private mutating func addPoint<Scalar>(_ g: Vector3<Double>, _ body: Int, _ tree: KinematicTree<Scalar>) {
    inertialPosition[body] += tree.bodyOrientation[body].matrix.transposedTimes(g)
  }

  /// The fluid's coefficients depend on mass and inertia through the equivalent box.
  private mutating func addFluid(_ g: [Double], _ body: Int, _ model: Model) {
    let b = model.bodies[body]
    func derivative(mass dm: Double, _ dx: Double, _ dy: Double, _ dz: Double) -> Double {
      let c = FluidCoefficients<Dual<Double>>(
        mass: Dual(primal: b.mass, tangent: dm),
        inertia: Vector3(
          Dual(primal: b.inertia.x, tangent: dx), Dual(primal: b.inertia.y, tangent: dy),
          Dual(primal: b.inertia.z, tangent: dz)),
        density: model.options.density, viscosity: model.options.viscosity)
      let t = [
        c.angularLinear, c.linearLinear, c.angularQuadratic.x, c.angularQuadratic.y, c.angularQuadratic.z,
        c.linearQuadratic.x, c.linearQuadratic.y, c.linearQuadratic.z,
      ]
      return zip(g, t).reduce(0) { $0 + $1.0 * $1.1.tangent }
    }
    mass[body] += derivative(mass: 1, 0, 0, 0)
    inertia[body] += Vector3(
      derivative(mass: 0, 1, 0, 0), derivative(mass: 0, 0, 1, 0), derivative(mass: 0, 0, 0, 1))
  }
}
