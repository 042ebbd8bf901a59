"""All peers by name, ours first. Their packages are imported when they are fitted: to list them, none is needed."""

from conv4rec.peers.cornac_peers import MF, VAECF
from conv4rec.peers.ease import EASE
from conv4rec.peers.implicit_peers import ALS, BPR
from conv4rec.peers.lenskit_peers import BIASED_MF, IKNN, IKNN_RATING
from conv4rec.peers.ours import CONV4REC, POPULAR
from conv4rec.peers.peer import Peer
from conv4rec.peers.surprise_peers import SVD, SVDPP

PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (CONV4REC, POPULAR, EASE, ALS, BPR, MF, VAECF, BIASED_MF, IKNN, IKNN_RATING, SVD, SVDPP)
}
