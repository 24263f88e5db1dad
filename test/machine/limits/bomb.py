# Starts itself again and again, until it is not let.
import os
import time

end = time.time() + 60
while time.time() < end:
    try:
        os.fork()
    except OSError:
        time.sleep(0.5)
