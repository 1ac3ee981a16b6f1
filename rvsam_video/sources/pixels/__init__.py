"""From decoded pictures to the RGB that people see: turned, in the right colours, without combs."""
