"""What `import daisy` finds in programs that were started after `bellis.daisy.install()`."""

import bellis.daisy

bellis.daisy.install()
