extension Tensor {
  /// The numbers in memory.
  /// - Throws: ``TensorError`` if the tensor is traced: its value is not known then.
  package func denseValue(_ operation: String) throws(TensorError) -> DenseArray {
    switch representation {
    case .dense(let array): return array
    case .failed(let error): throw error
    case .traced(let value):
      throw TensorError(
        .tracedValue, operation,
        "the value of a traced tensor (\(value.type)) is not known while the function is being traced. "
          + "Use select(_:_:_:) to choose between values, cond(_:then:else:) between computations, and scan, forLoop "
          + "or whileLoop to repeat one")
    }
  }

  /// The elements in row-major order.
  ///
  /// If the tensor is traced, that is a mistake (and the result is empty).
  public var values: [Double] { values(Double.self) }

  /// The elements in row-major order, converted to a type.
  ///
  /// If the tensor is traced, that is a mistake (and the result is empty).
  public func values<T: TensorScalar>(_ type: T.Type) -> [T] {
    do throws(TensorError) {
      return try denseValue("values").converted(to: T.elementType).values(T.self)
    } catch {
      error.record()
      return []
    }
  }
  /// The only element.
  ///
  /// If there is not exactly one element, or the tensor is traced, that is a mistake (and the result is NaN).
  public var scalar: Double {
    do throws(TensorError) { return try onlyElement("scalar") } catch {
      error.record()
      return .nan
    }
  }

  fileprivate func onlyElement(_ operation: String) throws(TensorError) -> Double {
    let array = try denseValue(operation)
    guard array.count == 1 else {
      throw TensorError(.shape, operation, "needs exactly one element; the shape is \(array.shape)")
    }
    return array.read(at: 0)
  }
}

extension Double {
  /// The only element of a tensor.
  /// - Throws: ``TensorError`` if there is not exactly one, or the tensor is traced.
  public init(_ tensor: Tensor) throws(TensorError) { self = try tensor.onlyElement("Double") }
}
extension Int {
  /// The only element of a tensor, rounded towards zero.
  /// - Throws: ``TensorError`` if there is not exactly one, it is not finite, or the tensor is traced.
  public init(_ tensor: Tensor) throws(TensorError) {
    guard let value = Int(exactly: try tensor.onlyElement("Int").rounded(.towardZero)) else {
      throw TensorError(.range, "Int", "the element is not an integer's value")
    }
    self = value
  }
}
extension Bool {
  /// The only element of a tensor: true unless it is zero.
  ///
  /// - Throws: ``TensorError`` if there is not exactly one element, or the tensor is traced: a Swift `if` cannot depend on
  ///   a value that is not known yet. Use `select` or ``cond(_:then:else:)``.
  public init(_ tensor: Tensor) throws(TensorError) { self = try tensor.onlyElement("Bool") != 0 }
}
