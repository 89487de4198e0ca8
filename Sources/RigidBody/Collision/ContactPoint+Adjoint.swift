import Lanes

/// Cotangents of what one contact hands on: distance, position and frame, in each lane.
struct ContactCotangent<L: Lane> {
  var distance: L
  var position: Vector3<L>
  /// Column by column, as ``ContactPoint/frame``.
  var frame: Matrix3<L>
}

/// Cotangents of one geom's pose and size, in each lane.
struct GeomCotangent<L: Lane> {
  /// Cotangent of the translation of the geom's origin, in world axes.
  var force = Vector3<L>.zero
  /// Cotangent of a rotation about the geom's origin, as a rotation vector in world axes.
  var torque = Vector3<L>.zero
  var size = Vector3<L>.zero

  /// Adds the cotangent of a point that moves with the geom; `arm` leads to it from the geom's origin.
  @inline(__always) mutating func add(_ cotangent: Vector3<L>, toPointAt arm: Vector3<L>) {
    force += cotangent
    torque = arm.cross(cotangent, adding: torque)
  }

  /// Adds the cotangent of a vector that turns with the geom.
  @inline(__always) mutating func add(_ cotangent: Vector3<L>, toDirection direction: Vector3<L>) {
    torque = direction.cross(cotangent, adding: torque)
  }

  @inline(__always) func replacing(with other: Self, where mask: L.Mask) -> Self {
    Self(
      force: force.replacing(with: other.force, where: mask),
      torque: torque.replacing(with: other.torque, where: mask),
      size: size.replacing(with: other.size, where: mask))
  }
}

/// Why the derivative of a contact's geometry is not that of a smooth function.
struct GeometryDefects: OptionSet, Sendable {
  let rawValue: Int32

  /// The normal has no direction of its own: centres that coincide. It is held fixed.
  static let normal = Self(rawValue: 1)
  /// The frame switches between hints, or its tangent lies along the normal. It turns with the normal only.
  static let frame = Self(rawValue: 2)
  /// Axes, edges or faces are parallel: the nearest points are not unique. Where they lie on them is held fixed.
  static let parallel = Self(rawValue: 4)
  /// The point was found by a search whose choices are not known. It is held on both geoms.
  static let notReplayable = Self(rawValue: 8)
}

/// Cotangents of a contact's two geoms.
struct ContactGeometryCotangent<L: Lane> {
  var geom1 = GeomCotangent<L>()
  var geom2 = GeomCotangent<L>()
  /// The raw value of each lane's ``GeometryDefects``.
  var rawDefects = L(0.0)

  @inline(__always) func defects(lane: Int) -> GeometryDefects {
    GeometryDefects(rawValue: Int32(rawDefects[lane: lane]))
  }

  @inline(__always) mutating func add(_ defect: GeometryDefects, where mask: L.Mask) {
    rawDefects += L(0.0).replacing(with: L(Double(defect.rawValue)), where: mask)
  }

  @inline(__always) func replacing(with other: Self, where mask: L.Mask) -> Self {
    Self(
      geom1: geom1.replacing(with: other.geom1, where: mask),
      geom2: geom2.replacing(with: other.geom2, where: mask),
      rawDefects: rawDefects.replacing(with: other.rawDefects, where: mask))
  }
}

/// Cotangents of a ``ContactPoint``.
struct ContactPointCotangent<L: Lane> {
  var distance: L
  var position: Vector3<L>
  var normal: Vector3<L>
  var tangent = Vector3<L>.zero
  /// Where the frame has no derivative of its own.
  var isFrameDefective: L.Mask

  /// The adjoint of ``ContactPoint/frame``, which is [x, y, x × y] with x the normal and y the unit vector along
  /// `w = h - x (x·h)`, h being the hint. With w̄ = (ȳ - y (y·ȳ)) / |w|:
  ///
  ///     x̄ += y × z̄,   ȳ += z̄ × x,   h̄ = w̄ - x (x·w̄),   x̄ -= w̄ (x·h) + h (x·w̄)
  ///
  /// A default hint does not turn with the geoms. Where the frame switches, y takes the hint's place: it then turns no more
  /// than the normal makes it.
  ///
  /// - Parameters:
  ///   - frame: of the forward pass.
  ///   - tangent: the contact point's tangent, or nil where it has none.
  @inline(__always)
  init(_ cotangent: ContactCotangent<L>, frame: Matrix3<L>, tangent: Vector3<L>?) {
    let (x, y) = (frame.column0, frame.column1)
    let z = cotangent.frame.column2
    var xBar = cotangent.frame.column0 + y.cross(z)
    let yBar = cotangent.frame.column1 + z.cross(x)
    var hint: Vector3<L>
    var isDefective: L.Mask
    if let tangent {
      hint = tangent
      let limit = L(Double(L.Scalar.ulpOfOne).squareRoot())
      isDefective = (hint - x * x.dot(hint)).norm .< limit
    } else {
      let zero = L(0.0)
      let one = L(1.0)
      let isAcross = x.y.magnitude .< L(0.5)
      hint = Vector3(zero, select(isAcross, one, zero), select(isAcross, zero, one))
      isDefective = (x.y.magnitude - 0.5).magnitude .< L(4 * Double(L.Scalar.ulpOfOne))
    }
    hint = hint.replacing(with: y, where: isDefective)
    let along = x.dot(hint)
    let inverse = 1.0 / (hint - x * along).norm
    let across = (yBar - y * y.dot(yBar)) * inverse
    let acrossAlong = x.dot(across)
    xBar -= across * along + hint * acrossAlong
    distance = cotangent.distance
    position = cotangent.position
    normal = xBar - x * x.dot(xBar)
    if tangent != nil { self.tangent = (across - x * acrossAlong).replacing(with: .zero, where: isDefective) }
    isFrameDefective = isDefective
  }
}

/// The adjoint of a contact between a plane through p with unit normal n and the point q of the other surface:
///
///     distance = (q - p)·n,   position = q - n distance / 2
///
/// - Parameters:
///   - between: q - p.
///   - cotangent: that of the normal belongs to n.
@inline(__always)
func planePointAdjoint<L: Lane>(
  normal: Vector3<L>, between: Vector3<L>, _ cotangent: ContactPointCotangent<L>
) -> (point: Vector3<L>, origin: Vector3<L>, normal: Vector3<L>) {
  let distance = between.dot(normal)
  let total = cotangent.distance - normal.dot(cotangent.position) * 0.5
  return (
    point: normal.multiplyAdd(total, cotangent.position), origin: normal * -total,
    normal: between.multiplyAdd(total, cotangent.normal) - cotangent.position * (distance * 0.5)
  )
}
