import Kinematics
import Lanes

// Mocap bodies are links without joints whose pose is an input (KinematicTree.swift). What a derivative by the poses of links
// leaves on such a link, as a force about its origin whose product with a small motion of the link is the change, is the
// cotangent of its pose. There are three sources: constraints (the sums of `LinkConstraintCotangents.byPose`), trees that
// hang on the body, and sites that forces act on relative to it.

/// Adds the force `g` on the tree of a link, about the tree's reference point, to the cotangent of the pose of the mocap body
/// that carries the tree, if one does.
///
/// The position's is the force itself; with the torque t, a turn δ changes the quaternion q by ½ (0, δ) q, which gives
/// q̄ = 2 (0, t) q / |q|² (of the function that normalises q).
@inline(__always)
func addMocapCotangent<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ inputs: StepInputs<L>, link: Int,
  _ g: Force<L>, _ cotangents: borrowing Cotangents<L>
) {
  guard let target = cotangents.mocapPoses else { return }
  let root = plan.tree.links.pointer(Int(plan.tree.links.pointer(link).pointee.root))
  let index = Int(root.pointee.mocap)
  guard index >= 0 else { return }
  let q: Quaternion<L>
  if let poses = inputs.mocapPoses {
    let at = poses + (7 * index + 3)
    q = Quaternion(at[0], at[1], at[2], at[3])
  } else {
    let own = plan.mocapBodies.pointer(index).pointee.orientation
    q = Quaternion(
      L(broadcasting: own.0), L(broadcasting: own.1), L(broadcasting: own.2), L(broadcasting: own.3))
  }
  let at = target + 7 * index
  addVector(g.linear, L(1.0), to: at)
  // A quaternion without length stands for the identity, and gets no gradient.
  let square = q.normSquared
  let isNull = square .< L(1e-30)
  let scale = (2.0 / square.replacing(with: L(1.0), where: isNull)).replacing(with: L(0.0), where: isNull)
  let lifted = Quaternion(L(0.0), g.angular) * q
  at[3] = L.multiplyAdd(lifted.w, scale, at[3])
  at[4] = L.multiplyAdd(lifted.x, scale, at[4])
  at[5] = L.multiplyAdd(lifted.y, scale, at[5])
  at[6] = L.multiplyAdd(lifted.z, scale, at[6])
}

/// Cotangents of the poses of mocap bodies on which trees hang, after a sweep through inverse dynamics whose sums are in
/// `scratch` (InverseDynamics+Adjoint.swift, with no motion before the tree but gravity's).
///
/// Moved, the tree is the same; turned, it is the same but that gravity g, and what else is fixed in the world, turn back:
/// ∂L/∂turn = N − A x g.
@inline(never)
@specialized(where L == Double)
@specialized(where L == SIMD8<Double>)
@specialized(where L == SIMD16<Float>)
@specialized(where L == Dual<SIMD8<Double>>)
func mocapSweepAdjoint<L: Lane>(
  _ plan: DynamicsPlan<L.Scalar>, _ record: borrowing StepRecord<L>, _ scratch: borrowing AdjointScratch<L>,
  _ inputs: StepInputs<L>, addsForces: Bool, gravity: Vector3<L>, _ cotangents: borrowing Cotangents<L>
) {
  guard cotangents.mocapPoses != nil else { return }
  var m = 0
  while m < plan.mocapBodies.count {
    let link = Int(plan.mocapBodies.pointer(m).pointee.link)
    var torque = scratch.byAcceleration[link].linear.cross(gravity)
    if addsForces { torque = torque - scratch.byTurning[link] }
    addMocapCotangent(plan, record, inputs, link: link, Force(angular: torque, linear: .zero), cotangents)
    m += 1
  }
}
