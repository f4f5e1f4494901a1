from wgtun_native._native import Provider as Provider
