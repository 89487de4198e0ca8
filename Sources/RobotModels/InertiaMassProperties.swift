import Lanes

/// Mass (volume or area, at unit density), centre of mass and inertia of a shape.
struct MassProperties: Sendable, Equatable {
  var mass: Double
  /// In the shape's frame.
  var center: Vector3<Double>
  /// About ``center``, along the axes of the shape's frame; symmetric.
  var inertia: Matrix3<Double>
}
