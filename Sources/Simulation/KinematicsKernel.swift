import Autodiff
import Kinematics
import Lanes
import RobotModels

/// Poses of frames as an operation on rows. Operand: positions. Result: poses. Nothing is kept for the reverse pass
/// but the positions.
struct KinematicsKernel: RowKernel {
  let core: KinematicsCore
  let elementType: ElementType
  let format: PoseFormat

  var name: String { "forwardKinematics" }
  var keepsTapes: Bool { false }
  var rowTypes: [TensorType] { [TensorType(elementType, [core.double.model.positionCount])] }
  var blockTypes: [TensorType] { [] }
  var resultTypes: [TensorType] { [TensorType(elementType, [core.double.frames.count, format.width])] }

  func evaluate(_ operands: KernelOperands, _ tapes: TapeExtent) throws(TensorError) -> (
    results: [DenseArray], tapes: DenseArray?
  ) {
    func poses<Scalar: LaneScalar & TensorScalar>(
      _ kinematics: ForwardKinematics<Scalar>
    ) throws(TensorError) -> DenseArray {
      do throws(KinematicsError) {
        return DenseArray(
          try kinematics.poses(at: operands.arrays[0].values(Scalar.self), format: format),
          shape: resultTypes(rows: operands.rows)[0].shape)
      } catch { throw error.tensorError(name) }
    }
    return ([elementType == .float32 ? try poses(core.single) : try poses(core.double)], nil)
  }

  /// Forward mode on dual numbers, in float64 whatever the operands are.
  func pushforward(_ operands: KernelOperands, _ tangents: [DenseArray?]) throws(TensorError) -> [DenseArray]
  {
    let type = resultTypes(rows: operands.rows)[0]
    guard let tangent = tangents[0] else { return [DenseArray(filling: 0, type)] }
    let positions = try operands.arrays[0].converted(to: .float64).values(Double.self)
    let changes = try tangent.converted(to: .float64).values(Double.self)
    let rates: [Double]
    do throws(KinematicsError) {
      rates = try core.double.pushforward(
        at: positions, along: core.coordinates.tangents(changes, at: positions), format: format
      ).rates
    } catch { throw error.tensorError(name) }
    return [try DenseArray(rates, shape: type.shape).converted(to: elementType)]
  }

  func pullback(
    _ tapes: DenseArray?, _ operands: KernelOperands, _ cotangents: [DenseArray], isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray] {
    guard isWanted[0] else { return [] }
    func gradient<Scalar: LaneScalar & TensorScalar>(
      _ kinematics: ForwardKinematics<Scalar>
    ) throws(TensorError) -> DenseArray {
      do throws(KinematicsError) {
        return DenseArray(
          try kinematics.pullback(
            at: operands.arrays[0].values(Scalar.self), cotangents: cotangents[0].values(Scalar.self),
            format: format, coordinates: .positions), shape: operands.arrays[0].shape)
      } catch { throw error.tensorError(name) }
    }
    return [elementType == .float32 ? try gradient(core.single) : try gradient(core.double)]
  }

  /// Forward over reverse on dual numbers, in float64 whatever the operands are.
  func pullbackRates(
    _ operands: KernelOperands, _ tangents: [DenseArray?], _ cotangents: [DenseArray], _ rates: [DenseArray],
    isWanted: [Bool]
  ) throws(TensorError) -> [DenseArray] {
    guard isWanted[0] else { return [] }
    let positions = try operands.arrays[0].converted(to: .float64).values(Double.self)
    let changes =
      try tangents[0]?.converted(to: .float64).values(Double.self)
      ?? [Double](repeating: 0, count: positions.count)
    let seeds = try cotangents[0].converted(to: .float64).values(Double.self)
    let seedRates = try rates[0].converted(to: .float64).values(Double.self)
    let second: KinematicsSecondDerivative
    do throws(KinematicsError) {
      second = try core.double.hessianVectorProduct(
        at: positions, along: core.coordinates.tangents(changes, at: positions), format: format
      ) { (_, _) throws(KinematicsError) in (seeds, seedRates) }
    } catch { throw error.tensorError(name) }
    let lifted = core.coordinates.positionCotangentRates(
      second.gradient, second.hessianVectorProduct, at: positions, along: changes)
    return [try DenseArray(lifted, shape: operands.arrays[0].shape).converted(to: elementType)]
  }
}

extension KinematicsKernel: Hashable {
  static func == (a: Self, b: Self) -> Bool {
    a.core === b.core && a.elementType == b.elementType && a.format == b.format
  }
  func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(core))
    hasher.combine(elementType)
    hasher.combine(format)
  }
}

/// The kinematics of some frames in both precisions.
final class KinematicsCore: Sendable {
  let double: ForwardKinematics<Double>
  let single: ForwardKinematics<Float>
  let coordinates: PositionCoordinates

  init(_ model: Model, _ frames: [Frame]) throws(KinematicsError) {
    double = try ForwardKinematics(model, frames: frames)
    single = try ForwardKinematics(model, frames: frames)
    coordinates = PositionCoordinates(model)
  }
}

extension KinematicsError {
  /// As the error of a tensor operation.
  fileprivate func tensorError(_ operation: String) -> TensorError {
    let reason: TensorError.Reason =
      switch self {
      case .unknownFrame, .invalidRequest: .argument
      case .wrongCount: .shape
      case .notFinite, .overflow, .zeroQuaternion: .nonFinite
      }
    return TensorError(reason, operation, description)
  }
}
