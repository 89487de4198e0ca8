import Lanes

extension ModelCompiler {
  /// Constants that follow from the finished tree, and the parameters that follow from those.
  mutating func deriveConstants() throws {
    if let joint = model.deriveConstants().first {
      let element = Self.label("joint", model.joints[joint].name)
      throw invalid(
        jointSources[joint].location,
        "\(element) moves nothing that has mass or inertia along it; give its body mass, or the joint armature"
      )
    }
    // Sums and products of large but finite numbers.
    for joint in model.joints.indices {
      let first = model.joints[joint].velocityAddress
      let constants = model.degreesOfFreedom[first..<first + model.joints[joint].type.velocityCount]
        .flatMap { [$0.inertia0, $0.inverseWeight0] }
      guard constants.allSatisfy(\.isFinite) else {
        throw invalid(
          jointSources[joint].location,
          "what \(Self.label("joint", model.joints[joint].name)) moves has masses, inertias or distances so large "
            + "that its mass matrix overflows; give them in kilograms and metres")
      }
    }
    try requireFinite(
      [model.meanInertia] + model.bodies.flatMap { [$0.subtreeMass] + $0.inverseWeight0 },
      "the total of the masses", specification.location)
    if let meanInertia = specification.meanInertia { model.meanInertia = meanInertia }
    resolveSpringDampers()
    resolveDampingRatios()
    resolveSpringLengths()
  }

  /// A tendon without a spring length rests where the joints' springs do.
  private mutating func resolveSpringLengths() {
    for index in model.tendons.indices {
      let tendon = model.tendons[index]
      guard tendon.springLength == [-1, -1], !tendon.wraps else { continue }
      guard tendon.isFixed else {
        let kinematics = DefaultKinematics(model, positions: model.springPosition)
        let length = tendon.segments.reduce(0) { sum, segment in
          let step =
            kinematics.position(of: model.sites[segment.second])
            - kinematics.position(of: model.sites[segment.first])
          return sum + segment.weight * step.normSquared.squareRoot()
        }
        model.tendons[index].springLength = [length, length]
        continue
      }
      let length = zip(tendon.joints, tendon.coefficients).reduce(0) { sum, entry in
        let joint = model.joints[entry.0]
        let position = model.springPosition[joint.positionAddress]
        let driven = joint.mimic.map { $0.multiplier * position + $0.offset } ?? position
        return sum + entry.1 * driven
      }
      model.tendons[index].springLength = [length, length]
    }
  }

  /// Stiffness and damping from a time constant and a damping ratio (`springdamper`), for the joint's mean
  /// inertia.
  private mutating func resolveSpringDampers() {
    for (index, source) in jointSources.enumerated() where source.springDamper != [0, 0] {
      let (time, ratio) = (source.springDamper[0], source.springDamper[1])
      let joint = model.joints[index]
      let addresses = joint.velocityAddress..<joint.velocityAddress + joint.type.velocityCount
      let weights = model.degreesOfFreedom[addresses].reduce(0) { $0 + $1.inverseWeight0 }
      let inertia = Double(addresses.count) / max(Self.smallestMass, weights)
      model.joints[index].stiffness = inertia / max(Self.smallestMass, time * time * ratio * ratio)
      for address in addresses {
        model.degreesOfFreedom[address].damping = 2 * inertia / max(Self.smallestMass, time)
      }
    }
  }
}
