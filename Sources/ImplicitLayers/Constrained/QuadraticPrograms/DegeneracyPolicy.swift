/// What a derivative does where it does not exist.
public enum DegeneracyPolicy: Sendable, Hashable {
  /// An error that names what fails.
  case error
  /// That of the active set as it is, and of singular systems the solution of least norm: multipliers of constraints that depend on each other share
  /// what they must carry, and minimisers that are not unique do not move where they need not. Where no direction satisfies the differentiated
  /// conditions, one that comes closest: the matrix of the system has its pseudo-inverse, in the solver's scaled units for quadratic programs, and
  /// in their own for nonlinear ones. One of the possible directional derivatives where strict complementarity fails.
  case leastNorm
}
