extension QPSReader {
  mutating func readRow() throws(QuadraticProgramFileError) {
    var fields = freeFields()
    if fields.count != 2 {
      let fixed = fixedFields()
      guard let kind = fixed[0], let name = fixed[1] else {
        throw error("a row has a kind (N, E, L or G) and a name", column: fields.first?.column ?? 1)
      }
      fields = [kind, name]
    }
    let kind = fields[0].text.uppercased()
    guard ["N", "E", "L", "G"].contains(kind) else {
      throw error("the row's kind is '\(fields[0].text)'; N, E, L and G are known", column: fields[0].column)
    }
    guard rowNumbers.updateValue(rows.count, forKey: fields[1].text) == nil else {
      throw error("a second row '\(fields[1].text)'", column: fields[1].column)
    }
    if kind == "N", objective == nil { objective = rows.count }
    rows.append(Row(name: fields[1].text, kind: kind.utf8.first!))
  }

  mutating func readColumn() throws(QuadraticProgramFileError) {
    let free = freeFields()
    if free.contains(where: { $0.text == "'MARKER'" }) {
      throw error(
        "integer variables: only programs of continuous variables are solved; remove the markers for the relaxation",
        column: free[0].column)
    }
    let (name, pairs) = try namedValues(rowNumbers, nameIsOptional: false, what: "row")
    guard let name else { throw error("a column's name should stand here") }
    let column: Int
    if let known = variableNumbers[name.text] {
      column = known
    } else {
      column = variables.count
      variableNumbers[name.text] = column
      variables.append(name.text)
      lower.append(0)
      upper.append(.infinity)
      hasLower.append(false)
    }
    for (row, field) in pairs {
      guard known.insert(UInt64(row) << 32 | UInt64(column)).inserted else {
        throw error(
          "a second entry of column '\(name.text)' in row '\(rows[row].name)'", column: field.column)
      }
      entries.append((row, column, try coefficient(field)))
    }
  }

  mutating func readRowValues(_ section: Section) throws(QuadraticProgramFileError) {
    let (name, pairs) = try namedValues(rowNumbers, nameIsOptional: true, what: "row")
    let set = name?.text ?? ""
    guard sets[section, default: set] == set else { return }
    sets[section] = set
    for (row, field) in pairs {
      let value = try coefficient(field)
      if section == .rightSides {
        rows[row].rightSide = value
      } else {
        guard rows[row].kind != UInt8(ascii: "N") else {
          throw error(
            "a range of the row '\(rows[row].name)', which does not constrain", column: field.column)
        }
        rows[row].range = value
      }
    }
  }

  mutating func readBound() throws(QuadraticProgramFileError) {
    let free = freeFields()
    let kind = free[0].text.uppercased()
    let isInfinite = ["FR", "MI", "PL"].contains(kind)
    guard isInfinite || ["UP", "LO", "FX"].contains(kind) else {
      throw error(
        ["BV", "LI", "UI", "SC"].contains(kind)
          ? "the bound '\(free[0].text)' is for variables that are not continuous, which are not solved"
          : "the bound's kind is '\(free[0].text)'; UP, LO, FX, FR, MI and PL are known",
        column: free[0].column)
    }
    var (set, variable, value): (Field?, Field, Field?)
    switch (free.count, isInfinite) {
    case (4, _): (set, variable, value) = (free[1], free[2], free[3])
    case (3, false): (set, variable, value) = (nil, free[1], free[2])
    case (3, true) where variableNumbers[free[2].text] != nil:
      (set, variable, value) = (free[1], free[2], nil)
    case (3, true): (set, variable, value) = (nil, free[1], free[2])
    case (2, true): (set, variable, value) = (nil, free[1], nil)
    default:
      let fixed = fixedFields()
      guard let third = fixed[2], isInfinite || fixed[3] != nil else {
        throw error(
          "\(free.count) fields; a bound has a kind, the name of its set, a column's name"
            + (isInfinite ? "" : ", and a number"), column: free[0].column)
      }
      (set, variable, value) = (fixed[1], third, fixed[3])
    }
    if variableNumbers[variable.text] == nil {
      let fixed = fixedFields()
      if let third = fixed[2], variableNumbers[third.text] != nil {
        (set, variable, value) = (fixed[1], third, fixed[3])
      }
    }
    guard let place = variableNumbers[variable.text] else {
      throw error("there is no column '\(variable.text)'", column: variable.column)
    }
    let name = set?.text ?? ""
    guard sets[.bounds, default: name] == name else { return }
    sets[.bounds] = name
    var bound = 0.0
    if !isInfinite {
      guard let value, let read = number(value), !read.isNaN else {
        throw error("'\(value?.text ?? "")' is no number", column: value?.column ?? variable.column)
      }
      bound = read
      let isPossible = kind == "UP" ? read > -.infinity : kind == "LO" ? read < .infinity : read.isFinite
      guard isPossible else {
        throw error("no number satisfies the bound \(kind) \(value.text)", column: value.column)
      }
    }
    switch kind {
    case "UP":
      upper[place] = bound
      if bound < 0, !hasLower[place] { lower[place] = -.infinity }
    case "LO": (lower[place], hasLower[place]) = (bound, true)
    case "FX": (lower[place], upper[place], hasLower[place]) = (bound, bound, true)
    case "FR": (lower[place], upper[place], hasLower[place]) = (-.infinity, .infinity, true)
    case "MI": (lower[place], hasLower[place]) = (-.infinity, true)
    default: upper[place] = .infinity
    }
  }

  mutating func readQuadratic(isHalf: Bool) throws(QuadraticProgramFileError) {
    let (name, pairs) = try namedValues(variableNumbers, nameIsOptional: false, what: "column")
    guard let name, let row = variableNumbers[name.text] else {
      throw error("there is no column '\(name?.text ?? "")'", column: name?.column ?? 1)
    }
    for (column, field) in pairs {
      let value = try coefficient(field)
      let (first, second) = isHalf ? (max(row, column), min(row, column)) : (row, column)
      guard knownQuadratic.insert(UInt64(first) << 32 | UInt64(second)).inserted else {
        throw error(
          "a second entry of '\(name.text)' and '\(variables[column])'"
            + (isHalf ? "; QUADOBJ has one half of the matrix, QMATRIX both" : ""), column: field.column)
      }
      quadratic.append((row, column, value))
      if isHalf, row != column { quadratic.append((column, row, value)) }
    }
  }
}
