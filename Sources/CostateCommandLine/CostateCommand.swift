import ArgumentParser

@main
struct CostateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "costate", abstract: "Exact, fast gradients through solvers and through physics.")
}
