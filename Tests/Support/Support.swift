public import Costate
