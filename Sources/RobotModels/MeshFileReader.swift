import Foundation

extension MeshData {
  /// Reads a mesh file: STL (binary or ASCII) or OBJ, told apart by the extension (`.stl`, `.obj`, any case).
  ///
  /// - Parameter path: the file; messages name it so.
  /// - Throws: ``ModelError``: `unreadable` where the file does not exist, is no regular file or is larger than
  ///   1 GiB; `invalid` where its content is not a mesh, with line and column for text, and with the byte offset
  ///   in the message for binary files.
  /// - Complexity: O(size of the file).
  init(contentsOf path: String) throws(ModelError) {
    let location = ModelError.Location(file: path, line: 0, column: 0)
    let kind = (path as NSString).pathExtension.lowercased()
    guard kind == "stl" || kind == "obj" else {
      throw ModelError(
        .invalid, at: location, "a mesh of kind '.\(kind)' is not supported; convert it to STL or OBJ")
    }
    let bytes = try MeshData.bytes(of: path, at: location)
    self = try kind == "stl" ? MeshData(stl: bytes, file: path) : MeshData(obj: bytes, file: path)
  }

  private static func bytes(
    of path: String, at location: ModelError.Location
  ) throws(ModelError) -> [UInt8] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw ModelError(.unreadable, at: location, "the mesh file does not exist")
    }
    // The link's target counts: a device or a pipe could block or never end.
    let target = (path as NSString).resolvingSymlinksInPath
    let attributes = try? FileManager.default.attributesOfItem(atPath: target)
    guard !isDirectory.boolValue, attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw ModelError(.unreadable, at: location, "not a regular file; a mesh is an STL or OBJ file")
    }
    guard let size = (attributes?[.size] as? NSNumber)?.intValue, size <= largestFile else {
      throw ModelError(
        .unreadable, at: location, "the mesh file is larger than \(largestFile) bytes; simplify the mesh")
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw ModelError(.unreadable, at: location, "the mesh file cannot be read; check its permissions")
    }
    return [UInt8](data)
  }
}
