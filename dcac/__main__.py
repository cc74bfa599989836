"""`python -m dcac STEP`: the same as `dcac STEP`, by the code of the folder that it is typed in."""

from dcac.cli import main

main()
