"""What a program is: values, nodes, op records, programs, their type check and their text form."""
