import Kinematics
import Lanes

/// What the passes of one solve read and write: the problem, and the solver's memory.
struct SolverPass<L: Lane> where L.Scalar: LaneScalar {
  let pattern: ConstraintPattern
  let system: ConstraintSystem<L>
  let memory: SolverMemory<L>
  let rows: ActiveRows
  let unitCount: Int
  let isElliptic: Bool
  /// Contact forces in the contact frame, six a slot.
  let slotForce: UnsafeMutablePointer<L>

  /// The rows that `workspace` lists.
  @inline(__always)
  init(
    _ solver: PrimalSolver<L.Scalar>, _ workspace: ConstraintSolverWorkspace<L>,
    _ system: ConstraintSystem<L>,
    _ solution: ConstraintSolution<L>
  ) {
    pattern = solver.pattern
    self.system = system
    memory = workspace.memory
    rows = workspace.rows
    unitCount = solver.pattern.unitRows.count
    isElliptic = solver.pattern.isElliptic
    slotForce = solution.contactForce
  }
}

/// Lists the rows that some lane has, with their weights.
@inline(__always)
func listActiveRows<L: Lane>(
  _ solver: PrimalSolver<L.Scalar>, _ system: ConstraintSystem<L>, _ memory: SolverMemory<L>
) -> ActiveRows where L.Scalar: LaneScalar {
  var active = ActiveRows()
  let unitCount = Int32(solver.pattern.unitRows.count)
  var count = 0
  var kind = 0
  while kind < 3 {
    var k = solver.unitStart[kind]
    while k < solver.unitStart[kind &+ 1] {
      let i = Int(solver.unitOrder[k])
      let weight = system.unitWeight[i]
      if !(weight .== L(0.0)).allTrue {
        memory.rowSource[count] = Int32(i)
        memory.rowWeight[count] = weight
        if kind == 1 { memory.rowLimit[count] = system.unitFriction[i] }
        count = count &+ 1
      }
      k = k &+ 1
    }
    k = solver.sparseStart[kind]
    while k < solver.sparseStart[kind &+ 1] {
      let i = Int(solver.sparseOrder[k])
      let weight = system.sparseWeight[i]
      if !(weight .== L(0.0)).allTrue {
        memory.rowSource[count] = unitCount &+ Int32(i)
        memory.rowWeight[count] = weight
        if kind == 1 { memory.rowLimit[count] = system.sparseFriction[i] }
        count = count &+ 1
      }
      k = k &+ 1
    }
    if kind == 0 { active.equalityEnd = count }
    if kind == 1 { active.frictionEnd = count }
    kind = kind &+ 1
  }
  active.count = count
  active.slotCount = system.slotCount
  return active
}

extension SolverPass {
  /// `J x` of unit and sparse rows into `rowOutput` and of contacts into `slotOutput`, less the references if wanted.
  @inline(__always)
  func multiply(
    _ x: UnsafePointer<L>, subtractingReferences: Bool, rowOutput: UnsafeMutablePointer<L>,
    slotOutput: UnsafeMutablePointer<L>
  ) {
    var r = 0
    while r < rows.count {
      let source = Int(memory.rowSource[r])
      var value: L
      if source < unitCount {
        let row = pattern.unitRows.pointer(source)
        let entry = x[Int(row.pointee.degreeOfFreedom)]
        value = row.pointee.sign < 0 ? -entry : entry
        if subtractingReferences { value -= system.unitReference[source] }
      } else {
        let row = pattern.sparseRows.pointer(source &- unitCount)
        let start = Int(row.pointee.start)
        let support = pattern.support.pointer(start)
        value = dotGathered(system.sparseJacobian + start, x, support, Int(row.pointee.count))
        if subtractingReferences { value -= system.sparseReference[source &- unitCount] }
      }
      rowOutput[r] = value
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let slot = system.slots + s
      let dimension = Int(slot.pointee.dimension)
      let count = Int(slot.pointee.supportCount)
      let support = system.contactSupport + Int(slot.pointee.supportStart)
      let jacobian = system.contactJacobian + Int(slot.pointee.jacobianStart)
      let base = SolverMemory<L>.stride &* s
      let output = slotOutput + base
      if dimension == 3 {
        var a = L(0.0)
        var b = L(0.0)
        var c = L(0.0)
        let second = jacobian + count
        let third = jacobian + 2 &* count
        var j = 0
        while j < count {
          let entry = x[Int(support[j])]
          a = L.multiplyAdd(jacobian[j], entry, a)
          b = L.multiplyAdd(second[j], entry, b)
          c = L.multiplyAdd(third[j], entry, c)
          j = j &+ 1
        }
        output[0] = a
        output[1] = b
        output[2] = c
      } else {
        var d = 0
        while d < dimension {
          output[d] = dotGathered(jacobian + d &* count, x, support, count)
          d = d &+ 1
        }
      }
      if subtractingReferences {
        var d = 0
        while d < dimension {
          output[d] -= system.contactReference[base &+ d]
          d = d &+ 1
        }
      }
      s = s &+ 1
    }
  }

  @inline(__always)
  private func dotGathered(
    _ row: UnsafePointer<L>, _ x: UnsafePointer<L>, _ support: UnsafePointer<Int32>, _ count: Int
  ) -> L {
    var even = L(0.0)
    var odd = L(0.0)
    var j = 0
    while j &+ 1 < count {
      even = L.multiplyAdd(row[j], x[Int(support[j])], even)
      odd = L.multiplyAdd(row[j &+ 1], x[Int(support[j &+ 1])], odd)
      j = j &+ 2
    }
    if j < count { even = L.multiplyAdd(row[j], x[Int(support[j])], even) }
    return even + odd
  }

  /// Adds `Jᵀ f` of all rows to `output`; with `alsoSetting` zero-filled before by the caller.
  @inline(__always)
  func addTransposed(
    rowForce: UnsafePointer<L>, slotForce: UnsafePointer<L>, to output: UnsafeMutablePointer<L>
  ) {
    var r = 0
    while r < rows.count {
      let source = Int(memory.rowSource[r])
      let force = rowForce[r]
      if source < unitCount {
        let row = pattern.unitRows.pointer(source)
        let dof = Int(row.pointee.degreeOfFreedom)
        output[dof] += row.pointee.sign < 0 ? -force : force
      } else {
        let row = pattern.sparseRows.pointer(source &- unitCount)
        let start = Int(row.pointee.start)
        addScattered(
          system.sparseJacobian + start, force, output, pattern.support.pointer(start), Int(row.pointee.count)
        )
      }
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let slot = system.slots + s
      let dimension = Int(slot.pointee.dimension)
      let count = Int(slot.pointee.supportCount)
      let support = system.contactSupport + Int(slot.pointee.supportStart)
      let jacobian = system.contactJacobian + Int(slot.pointee.jacobianStart)
      let force = slotForce + SolverMemory<L>.stride &* s
      if dimension == 3 {
        let (a, b, c) = (force[0], force[1], force[2])
        let second = jacobian + count
        let third = jacobian + 2 &* count
        var j = 0
        while j < count {
          let dof = Int(support[j])
          output[dof] = L.multiplyAdd(
            jacobian[j], a, L.multiplyAdd(second[j], b, L.multiplyAdd(third[j], c, output[dof])))
          j = j &+ 1
        }
      } else {
        var d = 0
        while d < dimension {
          addScattered(jacobian + d &* count, force[d], output, support, count)
          d = d &+ 1
        }
      }
      s = s &+ 1
    }
  }

  @inline(__always)
  private func addScattered(
    _ row: UnsafePointer<L>, _ force: L, _ output: UnsafeMutablePointer<L>, _ support: UnsafePointer<Int32>,
    _ count: Int
  ) {
    var j = 0
    while j < count {
      let dof = Int(support[j])
      output[dof] = L.multiplyAdd(row[j], force, output[dof])
      j = j &+ 1
    }
  }

  /// Moves `y` along the search direction.
  @inline(__always)
  func moveViolations(by step: L) {
    var r = 0
    while r < rows.count {
      memory.rowViolation[r] = L.multiplyAdd(step, memory.rowChange[r], memory.rowViolation[r])
      r = r &+ 1
    }
    var s = 0
    while s < rows.slotCount {
      let dimension = Int(system.slots[s].dimension)
      let y = memory.slotViolation + SolverMemory<L>.stride &* s
      let change = memory.slotChange + SolverMemory<L>.stride &* s
      var d = 0
      while d < dimension {
        y[d] = L.multiplyAdd(step, change[d], y[d])
        d = d &+ 1
      }
      s = s &+ 1
    }
  }
}

/// `y = M x` with the mass matrix's rows along the ways to the root.
@inline(__always)
func multiplyMassMatrix<L: Lane>(
  _ pattern: MassMatrixPattern, _ mass: UnsafePointer<L>, _ x: UnsafePointer<L>, _ y: UnsafeMutablePointer<L>
) {
  var i = 0
  while i < pattern.count {
    let address = Int(pattern.rowAddress[i])
    let row = mass + address
    let columns = pattern.columns.pointer(address)
    let length = Int(pattern.rowLength[i])
    let entry = x[i]
    var sum = row[0] * entry
    var t = 1
    while t < length {
      let j = Int(columns[t])
      sum = L.multiplyAdd(row[t], x[j], sum)
      y[j] = L.multiplyAdd(row[t], entry, y[j])
      t = t &+ 1
    }
    // Columns are smaller than their row: nothing has been added to this entry yet.
    y[i] = sum
    i = i &+ 1
  }
}
