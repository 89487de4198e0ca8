import Kinematics
import Lanes

// The constraint solver finds the acceleration a that minimises
//
//   ½ (a − a_smooth)ᵀ M (a − a_smooth) + Σ s(y),   y = J a − reference,
//
// over all rows (Todorov, "Convex and analytically-invertible dynamics with contacts and constraints", ICRA 2014; the rows,
// their order and their parameters are MuJoCo 3.12's). Rows come in three kinds of storage, by what J looks like:
//
// - unit rows act on one degree of freedom (joint friction loss, limits of hinges and slides): J is a sign;
// - sparse rows act on a list of degrees of freedom that the model fixes (equalities, tendons, limits of ball joints);
// - contacts act on the degrees of freedom of two bodies that differ from lane to lane. Each lane's k-th contact of a
//   dimension is in that dimension's k-th slot, and a slot's list of degrees of freedom is the union over lanes.
//
// A row that a lane does not have has weight zero, so that no masks are needed: it has no force and no cost.

/// How the force of a row depends on its violation `y`.
enum RowKind: UInt8, Sendable {
  /// `f = −D y`: cost `½ D y²`.
  case equality
  /// `f = −D y` up to the row's largest force, in both directions: cost `½ D y²`, then linear.
  case friction
  /// `f = −D y` where `y < 0`, else none.
  case limit
}

/// A row whose Jacobian is a sign on one degree of freedom.
struct UnitRow: Sendable {
  var degreeOfFreedom: Int32
  var kind: RowKind
  /// 1 or -1.
  var sign: Int8
}

/// A row on a fixed list of degrees of freedom.
struct SparseRow: Sendable {
  /// Place of its list in ``ConstraintPattern/support`` and of its entries in ``ConstraintSystem/sparseJacobian``.
  var start: Int32
  var count: Int32
  var kind: RowKind
}

/// What of the rows is the same in all worlds and states.
struct ConstraintPattern: Sendable {
  var unitRows: ConstantBuffer<UnitRow>
  var sparseRows: ConstantBuffer<SparseRow>
  /// Degrees of freedom of the sparse rows, ascending in each row.
  var support: ConstantBuffer<Int32>
  /// Elliptic cones; otherwise pyramidal.
  var isElliptic: Bool
  var velocityCount: Int
}

/// One contact of each lane, all of the same dimension.
struct ContactSlot: Sendable {
  /// Constrained directions: 1 (frictionless), 3, 4 or 6: normal, two tangents, torsion, two of rolling.
  var dimension: Int32
  /// Its degrees of freedom are `supportCount` entries of ``ConstraintSystem/contactSupport`` from here, ascending.
  var supportStart: Int32
  var supportCount: Int32
  /// Its Jacobian, `dimension` rows of `supportCount`, starts here in ``ConstraintSystem/contactJacobian``.
  var jacobianStart: Int32
}

/// The constraints of one lane group in one state: what the solver takes.
///
/// Arrays of contacts have ``ConstraintSystem/contactStride`` entries a slot: one for each direction of the contact frame.
/// In these coordinates both kinds of cone have the Jacobian and the references of the frame's directions: an edge of the
/// pyramid in direction i has `y = y₀ ± friction_i y_i`, all edges with the weight of direction 0.
struct ConstraintSystem<L: Lane> {
  static var contactStride: Int { 6 }

  /// Of the unit rows: references, weights D (zero where a lane does not have the row) and the largest forces of
  /// friction rows.
  var unitReference: UnsafeMutablePointer<L>
  var unitWeight: UnsafeMutablePointer<L>
  var unitFriction: UnsafeMutablePointer<L>

  /// The same of the sparse rows, and their Jacobians.
  var sparseReference: UnsafeMutablePointer<L>
  var sparseWeight: UnsafeMutablePointer<L>
  var sparseFriction: UnsafeMutablePointer<L>
  var sparseJacobian: UnsafeMutablePointer<L>

  /// Contacts: how many slots some lane uses, the slots, their degrees of freedom and Jacobians.
  var slotCount: Int
  var slots: UnsafeMutablePointer<ContactSlot>
  var contactSupport: UnsafeMutablePointer<Int32>
  var contactJacobian: UnsafeMutablePointer<L>
  /// References of the frame's directions.
  var contactReference: UnsafeMutablePointer<L>
  /// Weights D: of elliptic cones one for each direction; of pyramids that of all edges, and of frictionless contacts that
  /// of the normal, in direction 0.
  var contactWeight: UnsafeMutablePointer<L>
  /// Friction coefficient of directions 1 to 5; entry 0 is the cone's `mu` (coefficient of the first tangent, scaled by
  /// `impratio`; see MuJoCo's `contact.mu`).
  var contactFriction: UnsafeMutablePointer<L>
}

/// What the solver finds.
struct ConstraintSolution<L: Lane> {
  /// The acceleration; on entry a starting point.
  var acceleration: UnsafeMutablePointer<L>
  /// `Jᵀ f`.
  var constraintForce: UnsafeMutablePointer<L>
  /// Forces of the rows; of contacts in the contact frame, six a slot, whatever the cone.
  var unitForce: UnsafeMutablePointer<L>
  var sparseForce: UnsafeMutablePointer<L>
  var contactForce: UnsafeMutablePointer<L>
}
