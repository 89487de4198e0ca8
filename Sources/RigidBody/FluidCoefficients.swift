import Lanes

/// Drag and viscosity coefficients of a body in a fluid, from the box with the body's mass and principal
/// moments: torque `-(angularLinear + angularQuadratic |w|) w` and force
/// `-(linearLinear + linearQuadratic |v|) v` along each principal axis.
///
/// Source: MuJoCo documentation, Computation, Fluid forces, inertia model. Generic, so that `Dual` gives the
/// derivative with respect to mass and inertia.
struct FluidCoefficients<L: Lane> {
  var angularLinear: L
  var linearLinear: L
  var angularQuadratic: Vector3<L>
  var linearQuadratic: Vector3<L>

  init(mass: L, inertia: Vector3<L>, density: Double, viscosity: Double) {
    func side(_ sum: L) -> L { (L.maximum(sum, L(1e-15)) / mass * 6.0).squareRoot }
    let x = side(inertia.y + inertia.z - inertia.x)
    let y = side(inertia.x + inertia.z - inertia.y)
    let z = side(inertia.x + inertia.y - inertia.z)
    let diameter = (x + y + z) / 3.0
    angularLinear = diameter * diameter * diameter * (Double.pi * viscosity)
    linearLinear = diameter * (3 * Double.pi * viscosity)
    func fourth(_ a: L) -> L { a.squared.squared }
    angularQuadratic = Vector3(
      x * (fourth(y) + fourth(z)) * (density / 64), y * (fourth(x) + fourth(z)) * (density / 64),
      z * (fourth(x) + fourth(y)) * (density / 64))
    linearQuadratic = Vector3(
      y * z * (density / 2), x * z * (density / 2), x * y * (density / 2))
  }
}
