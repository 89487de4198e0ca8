import CLanes

/// Copies past the caches.
@inline(__always)
package func copyStreaming<T>(_ source: UnsafePointer<T>, to target: UnsafeMutablePointer<T>, count: Int) {
  costate_copy_streaming(source, target, count * MemoryLayout<T>.stride)
}
