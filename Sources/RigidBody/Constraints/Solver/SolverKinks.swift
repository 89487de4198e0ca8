import Kinematics
import Lanes

extension SolverPass {
  /// How near a row is to changing its state (see ``ConstraintSolverWorkspace/kinkMargin``).
  @inline(__always)
  func smallestKinkMargin() -> L {
    var smallest = L(1.0)
    var r = rows.equalityEnd
    while r < rows.frictionEnd {
      let weight = memory.rowWeight[r]
      let safe = L(1.0).replacing(with: weight, where: L(0.0) .< weight)
      let edge = memory.rowLimit[r] / safe
      let y = memory.rowViolation[r]
      let size = (y + rowReference(r)).magnitude + rowReference(r).magnitude + edge
      accumulate((y.magnitude - edge).magnitude, size, weight, &smallest)
      r = r &+ 1
    }
    while r < rows.count {
      let y = memory.rowViolation[r]
      let size = (y + rowReference(r)).magnitude + rowReference(r).magnitude
      accumulate(y.magnitude, size, memory.rowWeight[r], &smallest)
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let dimension = Int(system.slots[s].dimension)
      let base = SolverMemory<L>.stride &* s
      let y = memory.slotViolation + base
      let reference = system.contactReference + base
      let weight = system.contactWeight[base]
      let normalSize = (y[0] + reference[0]).magnitude + reference[0].magnitude
      if dimension == 1 {
        accumulate(y[0].magnitude, normalSize, weight, &smallest)
      } else if isElliptic {
        let zone = coneZone(s, dimension)
        let size = zone.mu * normalSize
        accumulate(
          (zone.normal - zone.mu * zone.tangent).magnitude, size + zone.mu * zone.tangent, weight, &smallest)
        accumulate(
          L.multiplyAdd(zone.mu, zone.normal, zone.tangent).magnitude, zone.mu * size + zone.tangent, weight,
          &smallest)
      } else {
        var i = 1
        while i < dimension {
          let slide = system.contactFriction[base &+ i] * y[i]
          let slideReference = system.contactFriction[base &+ i] * reference[i]
          let size = normalSize + (slide + slideReference).magnitude + slideReference.magnitude
          accumulate((y[0] + slide).magnitude, size, weight, &smallest)
          accumulate((y[0] - slide).magnitude, size, weight, &smallest)
          i = i &+ 1
        }
      }
      s = s &+ 1
    }
    return smallest
  }

  @inline(__always)
  private func rowReference(_ r: Int) -> L {
    let source = Int(memory.rowSource[r])
    return source < unitCount ? system.unitReference[source] : system.sparseReference[source &- unitCount]
  }

  @inline(__always)
  private func accumulate(_ distance: L, _ size: L, _ weight: L, _ smallest: inout L) {
    let isNearer = (distance .< smallest * size) .& (L(0.0) .< weight)
    smallest = smallest.replacing(
      with: distance / L(1.0).replacing(with: size, where: isNearer), where: isNearer)
  }
}
