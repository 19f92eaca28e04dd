"""Does "Pay now" go away? Real browsers with the real Echo and our client, a Reverb, a backend, and real sidecars."""
