import Autodiff
import LinearSolvers

/// A residual or objective of a tree of unknowns, traced: the program takes the unknowns' leaves, explicit parameters and captures.
struct StagedFunction {
  let program: Program
  let guess: [Tensor]
  /// Explicit parameters, then what the closure captured.
  let parameters: [Tensor]

  var unknownTypes: [TensorType] { guess.map(\.type) }

  /// - Throws: `ImplicitLayerError` if an unknown is not of floating point; what the closure throws.
  init<Unknown: TensorTree>(
    _ name: String, guess tree: Unknown, explicit: [Tensor] = [],
    _ function: (_ unknowns: Unknown, _ explicit: [Tensor]) throws -> [Tensor]
  ) throws {
    let leaves = tree.leaves
    for leaf in leaves + explicit { if let error = leaf.failure { throw error } }
    for (k, leaf) in leaves.enumerated() where !leaf.elementType.isFloatingPoint {
      throw ImplicitLayerError.shape(
        "\(name): unknown \(k) is \(leaf.type); unknowns are of floating point, convert the guess")
    }
    let staged = try stage(
      { (arguments: [Tensor]) throws -> [Tensor] in
        try function(
          try tree.replacing(leaves: Array(arguments.prefix(leaves.count))),
          Array(arguments.dropFirst(leaves.count)))
      }, leaves + explicit)
    program = staged.program
    guess = leaves
    parameters = explicit + staged.captures
  }

  /// Another program of the same arguments.
  init(_ program: Program, _ other: StagedFunction) {
    self.program = program
    guess = other.guess
    parameters = other.parameters
  }

  /// Checks that a residual has the unknowns' types.
  func requireResidual(_ name: String) throws(ImplicitLayerError) {
    guard program.outputTypes == unknownTypes else {
      throw .shape(
        "\(name): the residual gives \(program.outputTypes) where the unknowns are \(unknownTypes); there must be "
          + "as many equations as unknowns, of the same shapes and types")
    }
  }
  /// Checks that an objective gives one number.
  func requireScalar(_ name: String) throws(ImplicitLayerError) {
    guard program.outputTypes.count == 1, program.outputTypes[0].shape.isEmpty,
      program.outputTypes[0].elementType.isFloatingPoint
    else {
      throw .shape(
        "\(name): the objective gives \(program.outputTypes) where one number of floating point is wanted")
    }
  }
  /// Another program of the same arguments.
  func deriving(_ function: (_ program: Program, _ arguments: [Tensor]) throws -> [Tensor]) throws -> Program
  {
    let arguments = program.inputTypes.map { Tensor.zeros($0.shape, type: $0.elementType) }
    return try stage({ (x: [Tensor]) throws -> [Tensor] in try function(program, x) }, arguments).program
  }
}

extension ImplicitLayer {
  /// Calls the layer: solves if all operands are numbers, and is recorded otherwise.
  func call(guess: [Tensor], parameters: [Tensor], settings: [Tensor]) throws -> [Tensor] {
    let operands = guess + parameters + settings
    for operand in operands { if let error = operand.failure { throw error } }
    if needsIndependentEquations { try requireIndependentEquations() }
    let arrays = operands.compactMap(\.dense)
    if arrays.count == operands.count {
      do { return try evaluate(arrays).map { Tensor($0) } } catch let failure as ProblemFailure {
        throw failure.error
      }
    }
    return try bindOrThrow(ImplicitSolve(layer: self), operands)
  }

  private func requireIndependentEquations() throws {
    let programs = VectorPrograms(residual, unknowns: unknownCount)
    guard programs.unknownCount > 1 else { return }
    let pattern = try programs.pattern()
    if let place = zip(pattern.rowIndices, pattern.columnIndices).first(where: { $0 != $1 }) {
      throw ImplicitLayerError.argument(
        "\(name): element \(place.0) of the residual depends on unknown \(place.1), or may do so; equations must be independent "
          + "(vmap the scalar equation where the program cannot tell)")
    }
  }
}
