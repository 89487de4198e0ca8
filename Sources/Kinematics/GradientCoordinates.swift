/// The coordinates in which the gradient of joint positions is given.
public enum GradientCoordinates: Sendable, Hashable, CaseIterable {
  /// `nv` numbers, one per degree of freedom. Those of a rotation `q` are the derivative by `d` of
  /// `q ⊗ exp(d)`: small turns in the joint's own frame. A free joint's first three are along the world's axes.
  case tangent
  /// `nq` numbers, as positions are. Those of a quaternion are `2 q ⊗ (0, g) / |q|²` of the tangent numbers `g`:
  /// the derivative of a function that normalises its quaternions, which kinematics does.
  case positions
}
