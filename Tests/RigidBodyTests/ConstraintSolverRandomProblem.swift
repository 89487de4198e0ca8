import TestSupport

@testable import RigidBody

extension ConstraintProblem {
  /// Rows of all kinds on a random tree.
  ///
  /// - Parameter spread: weights range over 10 to this power either way, and pivots of the mass matrix over its root.
  static func random(
    seed: UInt64, count n: Int = 12, isElliptic: Bool, contactCount: Int = 4, spread: Double = 2,
    parents: [Int]? = nil
  ) -> Self {
    var random = SeededRandom(seed: seed)
    // The tree is the same for all seeds, so that problems can share a lane group.
    let tree = parents ?? (0..<n).map { $0 % 5 == 0 ? $0 / 5 - 1 : $0 - 1 }
    func ancestors(_ dof: Int) -> [Int] {
      var list: [Int] = []
      var next = dof
      while next >= 0 {
        list.append(next)
        next = tree[next]
      }
      return list.reversed()
    }
    func power(_ exponent: Double) -> Double {
      var result = 1.0
      let steps = 64
      for _ in 0..<steps { result *= 1 + exponent * 2.302585 / Double(steps) }
      return result
    }
    // M = Lᵀ D L with L on the ways to the root.
    var lower = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
    var pivots: [Double] = []
    for i in 0..<n {
      for j in ancestors(i) { lower[i][j] = i == j ? 1 : random.uniform(-0.5, 0.5) }
      pivots.append(power(random.uniform(-spread / 2, spread / 2)))
    }
    func massEntry(_ i: Int, _ j: Int) -> Double {
      (0..<n).reduce(0) { $0 + lower[$1][i] * pivots[$1] * lower[$1][j] }
    }
    var mass: [Double] = []
    for row in (0..<n).reversed() { mass += ancestors(row).reversed().map { massEntry(row, $0) } }
    var problem = ConstraintProblem(
      isElliptic: isElliptic, parents: tree, mass: mass,
      smoothAcceleration: random.uniform(-10, 10, count: n),
      smoothForce: [], warmStart: random.uniform(-10, 10, count: n))
    problem.smoothForce = problem.denseMass.map { row in
      zip(row, problem.smoothAcceleration).map(*).reduce(0, +)
    }
    func weight() -> Double { power(random.uniform(-spread, spread)) }
    for kind in [RowKind.equality, .friction, .limit, .limit, .friction] {
      let dof = Int(random.next() % UInt64(n))
      problem.rows.append(
        Row(
          support: [dof], jacobian: [random.next() % 2 == 0 ? 1 : -1], kind: kind,
          reference: random.uniform(-10, 10), weight: weight(), limit: random.uniform(0.1, 5)))
      let support = ancestors(n - 1 - dof)
      if support.count > 1 {
        problem.rows.append(
          Row(
            support: support, jacobian: random.uniform(-1, 1, count: support.count), kind: kind,
            reference: random.uniform(-10, 10), weight: weight(), limit: random.uniform(0.1, 5)))
      }
    }
    for _ in 0..<contactCount {
      let dimension = [1, 3, 3, 4, 6][Int(random.next() % 5)]
      let first = ancestors(Int(random.next() % UInt64(n)))
      let second = random.next() % 2 == 0 ? [] : ancestors(Int(random.next() % UInt64(n)))
      let support = Set(first + second).sorted()
      let friction = random.uniform(0.05, 1.5, count: 5)
      let ratio = random.uniform(0.5, 1.5)
      let normal = weight()
      // The regulariser times friction² is the same for all tangents, as MuJoCo has it.
      let mu = friction[0] * ratio
      let tangents = friction.map { normal * $0 * $0 / (mu * mu) }
      problem.contacts.append(
        Contact(
          dimension: dimension, support: support,
          jacobian: random.uniform(-1, 1, count: dimension * support.count),
          reference: random.uniform(-10, 10, count: dimension),
          weight: isElliptic ? Array(([normal] + tangents)[0..<dimension]) : [normal, 0, 0, 0, 0, 0],
          friction: [mu] + friction))
    }
    return problem
  }
}

// The same cost, gradient and Hessian written down plainly.
extension ConstraintProblem {
  /// Force in each direction of a contact at `y`.
  func contactForce(_ contact: Contact, _ y: [Double]) -> [Double] {
    let d = contact.dimension
    if d == 1 { return [contact.weight[0] * max(0, -y[0])] }
    if !isElliptic {
      var force = [Double](repeating: 0, count: d)
      for i in 1..<d {
        for sign in [1.0, -1.0] {
          let edge = contact.weight[0] * max(0, -(y[0] + sign * contact.friction[i] * y[i]))
          force[0] += edge
          force[i] += sign * contact.friction[i] * edge
        }
      }
      return force
    }
    let mu = contact.friction[0]
    let u = (0..<d).map { $0 == 0 ? mu * y[0] : contact.friction[$0] * y[$0] }
    let t = u[1...].map { $0 * $0 }.reduce(0, +).squareRoot()
    if u[0] >= mu * t { return [Double](repeating: 0, count: d) }
    if mu * u[0] + t <= 0 { return (0..<d).map { -contact.weight[$0] * y[$0] } }
    let pull = contact.weight[0] / (mu * mu * (1 + mu * mu)) * (u[0] - mu * t)
    return (0..<d).map { $0 == 0 ? -pull * mu : pull * mu * u[$0] / t * contact.friction[$0] }
  }

  func rowForce(_ row: Row, _ y: Double) -> Double {
    switch row.kind {
    case .equality: -row.weight * y
    case .friction: -min(max(row.weight * y, -row.limit), row.limit)
    case .limit: row.weight * max(0, -y)
    }
  }

  func contactViolation(_ contact: Contact, _ a: [Double]) -> [Double] {
    (0..<contact.dimension).map { d in
      contact.support.indices.reduce(-contact.reference[d]) {
        $0 + contact.jacobian[d * contact.support.count + $1] * a[contact.support[$1]]
      }
    }
  }

  func rowViolation(_ row: Row, _ a: [Double]) -> Double {
    row.support.indices.reduce(-row.reference) { $0 + row.jacobian[$1] * a[row.support[$1]] }
  }

  /// Gradient of the cost, and the size of its terms.
  func gradient(at a: [Double]) -> (value: [Double], size: Double) {
    var terms = denseMass.map { row in
      zip(row, zip(a, smoothAcceleration)).map { $0 * ($1.0 - $1.1) }.reduce(0, +)
    }
    var size = terms.map(abs).reduce(0, +)
    func add(_ support: [Int], _ jacobian: some Collection<Double>, _ force: Double) {
      for (dof, entry) in zip(support, jacobian) {
        terms[dof] -= entry * force
        size += abs(entry * force)
      }
    }
    for row in rows { add(row.support, row.jacobian, rowForce(row, rowViolation(row, a))) }
    for contact in contacts {
      let force = contactForce(contact, contactViolation(contact, a))
      let width = contact.support.count
      for d in 0..<contact.dimension {
        add(contact.support, contact.jacobian[d * width..<(d + 1) * width], force[d])
      }
    }
    return (terms, size)
  }
}
