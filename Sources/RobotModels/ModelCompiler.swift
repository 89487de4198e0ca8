import Lanes

/// Turns what a file says into a ``Model``, with MuJoCo 3.12's rules.
struct ModelCompiler {
  let specification: ModelSpecification
  var model = Model()

  /// - Throws: ``ModelError`` of kind `invalid` at the element that is at fault.
  static func compile(_ specification: ModelSpecification) throws -> Model {
    var compiler = ModelCompiler(specification: specification)
    compiler.model.name = specification.name
    return compiler.model
  }
}
