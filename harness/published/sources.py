"""The tables that the numbers come from, by the name that the rows use."""

from collections.abc import Mapping
from types import MappingProxyType

from harness.published.model import Source

_KERVADEC_2021 = (
    "H. Kervadec, J. Bouchtiba, C. Desrosiers, E. Granger, J. Dolz, I. Ben Ayed: Boundary loss for highly "
    "unbalanced segmentation. Medical Image Analysis 67, 101851, 2021"
)
_KERVADEC_2021_URL = "https://doi.org/10.1016/j.media.2020.101851"
_UNKNOWN = "whether metrics are those of slices or of volumes was not in the reproduction"

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "kervadec2019": Source(
            citation="H. Kervadec, J. Bouchtiba, C. Desrosiers, E. Granger, J. Dolz, I. Ben Ayed: Boundary "
            "loss for highly unbalanced segmentation. MIDL 2019, PMLR 102, 285-296",
            short="Kervadec et al. 2019",
            table="Table 1",
            url="https://proceedings.mlr.press/v102/kervadec19a.html",
            evaluation="validation cases: 10 patients of WMH, 20 cases of ISLES; there was no test set",
            metric_note="DSC is the mean over slices, an empty one predicted empty counting 1, not the DSC "
            "of the volume: slice_dsc is nearest. HD compares mask rows as points: no Hausdorff "
            "distance, and not in mm although printed so",
            spread="SD over 2 runs",
            caveat="The epoch was chosen on the same validation cases. Predicting nothing scores 313 of 550 "
            "slices on WMH and 27 of 84 on ISLES with the published splits, exactly the printed .569 and "
            ".321 of L_B alone.",
        ),
        "kervadec2021": Source(
            citation=_KERVADEC_2021,
            short="Kervadec et al. 2021",
            table="table of the comparison of losses, read from a reproduction",
            url=_KERVADEC_2021_URL,
            evaluation="cases of WMH and ISLES; which ones was not in the reproduction",
            metric_note=f"{_UNKNOWN}. HD95 in mm",
            spread="none in the reproduction; means of 3 runs",
            caveat="Read from a reproduction of the table, not from the paper.",
        ),
        "kervadec2021_alpha": Source(
            citation=_KERVADEC_2021,
            short="Kervadec et al. 2021, strategies for alpha",
            table="table of the strategies for alpha, read from a reproduction",
            url=_KERVADEC_2021_URL,
            evaluation="cases of ISLES; which ones was not in the reproduction",
            metric_note=_UNKNOWN,
            spread="none in the reproduction",
            caveat="Read from a reproduction of the table, not from the paper.",
        ),
        "wong2018": Source(
            citation="K. C. L. Wong, M. Moradi, H. Tang, T. Syeda-Mahmood: 3D segmentation with exponential "
            "logarithmic loss for highly unbalanced object sizes. MICCAI 2018, LNCS 11072, 612-619",
            short="Wong et al. 2018",
            table="Table (b)",
            url="https://arxiv.org/abs/1809.00076",
            evaluation="brain volumes with 19 labels; which ones is not in our copy of the table",
            metric_note="DSC of the volume, per label, printed in %",
            spread="SD over runs",
            caveat="3D networks; the labels are printed as numbers.",
        ),
        "anatomynet2019": Source(
            citation="W. Zhu, Y. Huang, L. Zeng, X. Chen, Y. Liu, Z. Qian, N. Du, W. Fan, X. Xie: "
            "AnatomyNet: deep learning for fast and fully automated whole-volume segmentation of head and "
            "neck anatomy. Medical Physics 46(2), 576-589, 2019",
            short="Zhu et al. 2019",
            table="Table V",
            url="https://doi.org/10.1002/mp.13300",
            evaluation="the 10 test cases of the MICCAI 2015 head and neck challenge (PDDCA)",
            metric_note="DSC of the volume, per organ, printed in %",
            spread="none in our copy of the table",
            caveat="A 3D network. The released code trains the Dice part of Dice + focal only.",
        ),
        "nnunet2019": Source(
            citation="F. Isensee, P. F. Jaeger, S. A. A. Kohl, J. Petersen, K. H. Maier-Hein: Automated "
            "design of deep learning methods for biomedical image segmentation. arXiv:1904.08128, 2019",
            short="Isensee et al. 2019",
            table="table of the ablation",
            url="https://arxiv.org/abs/1904.08128",
            evaluation="six tasks of the Medical Segmentation Decathlon; which cases is not in our copy of "
            "the table",
            metric_note="DSC of the volume; for all but vanilla nnU-Net only the relative change of the DSC "
            "to vanilla in % is printed, and stays so",
            spread="none in our copy of the table",
            caveat="3D networks; the liver appears at two resolutions. Only the rows of vanilla, only "
            "cross-entropy and only Dice differ in the loss.",
        ),
        "odyssey2021": Source(
            citation="J. Ma, J. Chen, M. Ng, R. Huang, Y. Li, C. Li, X. Yang, A. L. Martel: Loss odyssey in "
            "medical image segmentation. Medical Image Analysis 71, 102035, 2021",
            short="Ma et al. 2021",
            table="result tables of the SegLoss collection",
            url="https://doi.org/10.1016/j.media.2021.102035",
            evaluation="CT of liver, liver tumour, pancreas and several organs; which cases is not in our "
            "copy of the tables",
            metric_note="DSC of the volume. The tolerance of the NSD is not in our copy: beside nsd_1mm or "
            "nsd_2mm it may be another quantity",
            spread="none: one run per loss",
            caveat="3D networks, one run per loss. The released code is not always the loss it names: see "
            "the remarks of the rows.",
        ),
    }
)
