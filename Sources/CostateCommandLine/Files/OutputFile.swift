import Foundation

/// A file that appears under its name only when it is complete: it is written beside its target, then renamed.
struct OutputFile {
  let path: String
  private let target: String

  /// Checks that the file could be written, so that a long computation does not end in vain.
  ///
  /// - Throws: `CommandFailure` (output cannot be written) that names the file and the reason.
  init(path: String) throws(CommandFailure) {
    self.path = path
    // A link keeps pointing where it points: its target is what is replaced.
    target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let directory = URL(fileURLWithPath: target).deletingLastPathComponent().path
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue
    else {
      throw failure("there is no directory \(directory)")
    }
    if FileManager.default.fileExists(atPath: target, isDirectory: &isDirectory), isDirectory.boolValue {
      throw failure("it is a directory")
    }
    guard access(directory, W_OK) == 0 else { throw failure("the directory \(directory) is not writable") }
  }

  func write(_ bytes: [UInt8]) throws(CommandFailure) {
    let temporary = "\(target).\(getpid()).\(UInt32.random(in: 0 ... .max)).partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(systemMessage()) }
    var problem: String?
    bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count, problem == nil {
        let count = systemWrite(descriptor, buffer.baseAddress! + written, buffer.count - written)
        if count >= 0 { written += count } else if errno != EINTR { problem = systemMessage() }
      }
    }
    if problem == nil, fsync(descriptor) != 0 { problem = systemMessage() }
    if close(descriptor) != 0, problem == nil { problem = systemMessage() }
    if problem == nil, rename(temporary, target) != 0 { problem = systemMessage() }
    if let problem {
      unlink(temporary)
      throw failure(problem)
    }
  }

  private func failure(_ reason: String) -> CommandFailure {
    CommandFailure(.unwritableOutput, "\(path): cannot be written: \(reason)")
  }

  private func systemMessage() -> String { String(cString: strerror(errno)) }
}

/// The system call, which the method of the same name would hide.
private func systemWrite(_ descriptor: Int32, _ address: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, address, count)
}
