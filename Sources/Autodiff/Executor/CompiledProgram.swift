/// A program made ready to run many times.
package final class CompiledProgram: Sendable {
  package let program: Program

  package init(_ program: Program) throws {
    self.program = program
  }
  package func run(_ arguments: [DenseArray]) throws -> [DenseArray] { try program.interpret(arguments) }
}
