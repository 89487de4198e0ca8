public import Lanes

/// A precision in which a model can be simulated: `Double` or `Float`.
public protocol SimulationScalar: LaneScalar {}

extension Double: SimulationScalar {}
extension Float: SimulationScalar {}
