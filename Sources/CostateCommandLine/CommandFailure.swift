import Costate

/// Why a command stops: the message for stderr and the exit code that goes with it.
struct CommandFailure: Error, Equatable, CustomStringConvertible {
  enum Code: Int32 {
    /// The computation did not converge, met a singular matrix, or diverged.
    case computationFailed = 1
    case wrongUsage = 64
    case invalidInput = 65
    case unreadableInput = 66
    case unwritableOutput = 73
  }
  var code: Code
  var message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
  var description: String { message }
}

extension CommandFailure {
  init(_ error: ModelError) {
    switch error.kind {
    case .unreadable: self.init(.unreadableInput, error.description)
    case .invalid: self.init(.invalidInput, error.description)
    }
  }
}
