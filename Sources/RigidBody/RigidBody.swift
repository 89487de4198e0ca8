public import RobotModels
