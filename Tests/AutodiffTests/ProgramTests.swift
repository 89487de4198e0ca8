import Autodiff
import Testing

@Suite struct ProgramTests {
  @Test func printing() throws {
    let traced = try program(of: { (x: Tensor) in (sin(x) * 2.0).sum() }, at: Tensor.zeros([3]))
    #expect(
      traced.description == """
        program (a: float64[3]) {
          b: float64[3] = sine a
          c: float64[3] = multiply b 2.0{float64[3]}
          d: float64 = sum[axes: [0]] c
          return d
        }
        """)
  }

  @Test(.timeLimit(.minutes(1))) func longProgramsDoNotOverflow() throws {
    // A million operations in a chain.
    let f = { (x: Tensor) in
      var y = x
      for _ in 0..<500_000 { y = sin(y) * 1.0001 }
      return y
    }
    let (value, gradient) = try valueAndGrad(f)(0.5)
    #expect(value.scalar.isFinite && gradient.scalar.isFinite && gradient.scalar > 0)
  }
}
