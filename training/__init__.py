"""Everything that needs gradients. Imports the engine, never Qt.

torch's threads sleep between its loops. By default they wait turning, for as long as one of our own kernels takes, on the processors that
the kernels' threads need. OpenMP reads this when torch is first imported, so that has to come after this package.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
